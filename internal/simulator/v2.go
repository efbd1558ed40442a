package simulator

import (
	"net/http"
	"strings"
)

// routeV2 routes what stands after /api/v2/.
func (q *call) routeV2(path string) (any, error) {
	path = strings.TrimSuffix(path, "/")
	kind, rest, _ := strings.Cut(path, "/")
	switch {
	case kind == "method" && rest != "":
		if _, ok := q.s.methods[rest]; !ok {
			return nil, q.s.unknownMethod(rest, "")
		}
		return q.callMethod(rest)
	case kind == "document" && rest != "":
		return q.documentV2(rest)
	case kind == "doctype" && strings.HasSuffix(rest, "/count"):
		q.form.set("doctype", strings.TrimSuffix(rest, "/count"))
		q.log.DocType = q.arg("doctype")
		return q.reportCount()
	case kind == "doctype" && strings.HasSuffix(rest, "/meta"):
		if q.user.isGuest() {
			return nil, raised("PermissionError", "")
		}
		meta := q.snap.meta(strings.TrimSuffix(rest, "/meta"))
		if meta == nil {
			return nil, notFound("DocType", strings.TrimSuffix(rest, "/meta"))
		}
		return meta.docTypeObject(), nil
	default:
		return nil, apiNotFound()
	}
}

func (q *call) documentV2(path string) (any, error) {
	doctype, name, hasName := strings.Cut(path, "/")
	q.log.DocType = doctype
	if !hasName {
		switch q.req.Method {
		case http.MethodGet, http.MethodHead:
			limit := any(int64(20))
			if l := q.form.get("limit"); truthy(l) {
				limit = l
			}
			q.form = append(q.form.without("limit_page_length"), member{"limit_page_length", limit})
			answer, err := q.documentList(doctype)
			if w, ok := answer.(wrapped); ok {
				return w.data, err
			}
			return nil, err
		case http.MethodPost:
			return q.insertForm(doctype)
		}
		return nil, methodNotAllowed()
	}
	switch q.req.Method {
	case http.MethodGet, http.MethodHead:
		d, err := q.document(doctype, name)
		if err != nil {
			return nil, err
		}
		a := q.access()
		if !a.document(d, "read") {
			return nil, a.denied("", "")
		}
		q.log.Rows = 1
		return d.object(q.snap, q.readLevels(d), false), nil
	case http.MethodPut, http.MethodPatch:
		return q.updateForm(doctype, name)
	case http.MethodDelete:
		if err := q.deleteDocument(doctype, name); err != nil {
			return nil, err
		}
		q.status = http.StatusAccepted
		return "ok", nil
	default:
		return nil, methodNotAllowed()
	}
}
