package doctype_test

import (
	"regexp"
	"strings"
	"testing"

	"erpgraph/internal/doctype"
)

func TestTypeName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Sales Order":         "SalesOrder",
		"UOM":                 "UOM",
		"ToDo":                "ToDo",
		"CRM Note":            "CRMNote",
		"sales order":         "SalesOrder",
		"Sales-Order / Draft": "SalesOrderDraft",
		"3D Model":            "Doc3DModel",
		"Müller Konto":        "MullerKonto",
		"__Private":           "Private",
		"客户":                  "U5BA2U6237",
		"%":                   "U0025",
	} {
		if got := doctype.TypeName(in); got != want {
			t.Errorf("TypeName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFieldName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"grand_total":    "grandTotal",
		"customer":       "customer",
		"po_no":          "poNo",
		"address_line1":  "addressLine1",
		"GST_no":         "gstNo",
		"gstIn":          "gstIn",
		"__islocal":      "islocal",
		"_user_tags":     "userTags",
		"3d_model":       "field3dModel",
		"größe":          "groE",
		"prix_unité":     "prixUnite",
		"trailing__gap_": "trailingGap",
		"备注":             "u5907U6CE8",
		"custom_a b-c":   "customABC",
	} {
		if got := doctype.FieldName(in); got != want {
			t.Errorf("FieldName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEnumValue(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"In Progress":          "IN_PROGRESS",
		"Overdue and Paid":     "OVERDUE_AND_PAID",
		"SAL-ORD-.YYYY.-":      "SAL_ORD_YYYY",
		"Material Request (M)": "MATERIAL_REQUEST_M",
		"50%":                  "VALUE_50",
		"true":                 "TRUE",
		"=":                    "U003D",
		"Privé":                "PRIVE",
	} {
		if got := doctype.EnumValue(in); got != want {
			t.Errorf("EnumValue(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEnumName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"grandTotal": "GRAND_TOTAL", "name": "NAME", "addressLine1": "ADDRESS_LINE1", "poNO": "PO_N_O",
	} {
		if got := doctype.EnumName(in); got != want {
			t.Errorf("EnumName(%q) = %q, want %q", in, got, want)
		}
		if got := doctype.ColumnName(in); got != strings.ToLower(want) {
			t.Errorf("ColumnName(%q) = %q, want %q", in, got, strings.ToLower(want))
		}
	}
}

func TestStem(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Sales Order": "sales_order", "ToDo": "todo", "CRM Note": "crm_note",
		"Driver Linux": "driver_linux_doctype", "Load Test": "load_test_doctype", "Key JS": "key_js_doctype",
	} {
		if got := doctype.Stem(in); got != want {
			t.Errorf("Stem(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzNames holds every name that can be made to what GraphQL and Go allow.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"Sales Order", "grand_total", "In Progress", "", "客户", "3", "\x00", "ß", "½", "__x"} {
		f.Add(seed)
	}
	pascal := regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	camel := regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)
	upper := regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	stem := regexp.MustCompile(`^[a-z0-9][a-z0-9_]*$`)
	f.Fuzz(func(t *testing.T, in string) {
		if got := doctype.TypeName(in); !pascal.MatchString(got) {
			t.Errorf("TypeName(%q) = %q", in, got)
		}
		field := doctype.FieldName(in)
		if !camel.MatchString(field) {
			t.Errorf("FieldName(%q) = %q", in, field)
		}
		if got := doctype.EnumValue(in); !upper.MatchString(got) {
			t.Errorf("EnumValue(%q) = %q", in, got)
		}
		if got := doctype.EnumName(field); !upper.MatchString(got) {
			t.Errorf("EnumName(%q) = %q", field, got)
		}
		if got := doctype.Stem(in); !stem.MatchString(got) {
			t.Errorf("Stem(%q) = %q", in, got)
		}
	})
}
