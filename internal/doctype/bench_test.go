package doctype_test

import (
	"os"
	"testing"

	"erpgraph/internal/doctype"
)

// BenchmarkLoad is a server's start: facts, settings and the app's SDL to descriptors.
func BenchmarkLoad(b *testing.B) {
	schema := os.DirFS("../../schema")
	for b.Loop() {
		if _, _, err := doctype.Load(schema); err != nil {
			b.Fatal(err)
		}
	}
}
