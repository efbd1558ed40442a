package simulator

// The DocTypes in which a site keeps webhooks: fields, options and rights as Frappe 15 has
// them (frappe/integrations/doctype). Only a System Manager sees or changes them.
const (
	webhookType       = "Webhook"
	webhookHeaderType = "Webhook Header" // rows of a webhook
	webhookDataType   = "Webhook Data"   // rows of a webhook
	requestLogType    = "Webhook Request Log"
)

func webhookDocTypes() [][]byte {
	all := map[string][]string{"System Manager": {"create", "delete", "email", "export", "print", "read", "report", "share", "write"}}
	hook := builtin{
		webhookType, "Integrations", "prompt", false,
		"Link webhook_doctype DocType, Select webhook_docevent after_insert\non_update\non_submit\non_cancel\non_trash\non_update_after_submit\non_change, " +
			"Small Text condition, Small Text request_url, Table webhook_headers Webhook Header, Table webhook_data Webhook Data, " +
			"Select request_structure \nForm URL-Encoded\nJSON, Code webhook_json JSON, Check enable_security, Password webhook_secret, Check enabled, " +
			"Select request_method POST\nPUT\nDELETE, Check is_dynamic_url, Int timeout, Autocomplete background_jobs_queue",
		all,
	}.object()
	required, once := member{"reqd", int64(1)}, member{"set_only_once", int64(1)}
	amendFields(hook, map[string]object{
		"webhook_doctype":  {required, once},
		"webhook_docevent": {once},
		"request_url":      {required},
		"enable_security":  {{"default", "0"}},
		"enabled":          {{"default", "1"}},
		"request_method":   {required, {"default", "POST"}},
		"is_dynamic_url":   {{"default", "0"}},
		"timeout":          {{"default", "5"}},
	})
	relabel(hook, map[string]string{"webhook_doctype": "DocType", "webhook_docevent": "Doc Event", "request_url": "Request URL"})
	data := builtin{webhookDataType, "Integrations", "", true, "Select fieldname, Data key", nil}.object()
	amendFields(data, map[string]object{"fieldname": {required}, "key": {required}})
	return [][]byte{
		encodeJSON(hook),
		encodeJSON(data),
		builtin{webhookHeaderType, "Integrations", "", true, "Small Text key, Small Text value", nil}.meta(),
		builtin{
			requestLogType, "Integrations", "hash", false,
			"Data url, Code headers JSON, Code response JSON, Code data JSON, Link user User, Data reference_document, Text error, Link webhook Webhook, Data reference_doctype",
			all,
		}.meta(),
	}
}

// relabel gives fields labels that do not follow from their names.
func relabel(meta object, labels map[string]string) {
	fields := asList(meta.get("fields"))
	for i, f := range fields {
		o, _ := f.(object)
		if l := labels[cstr(o.get("fieldname"))]; l != "" {
			o.set("label", l)
			fields[i] = o
		}
	}
}
