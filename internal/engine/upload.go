package engine

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/write"
)

// fileDocType is the DocType of ERPNext's files.
const fileDocType = "File"

// runUpload stores a file at ERPNext.
func runUpload(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
	file, ok := a["file"].(graphql.Upload)
	if !ok {
		return nil, badInput("file", "must be a file: send the request as multipart/form-data, by the GraphQL multipart request specification")
	}
	if _, err := file.File.Seek(0, io.SeekStart); err != nil { // another field may have read it
		return nil, fmt.Errorf("read the file from its beginning: %w", err)
	}
	up := write.Upload{
		Upload: frappe.Upload{Filename: file.Filename, ContentType: file.ContentType, Size: file.Size, Content: file.File},
		Sum:    sumOf(file),
	}
	private, told := a["private"].(bool)
	up.Private = private || !told // whoever says nothing shows nobody anything
	if to, ok := a["attachTo"].(map[string]any); ok {
		up.DocType, _ = to["doctype"].(string)
		up.DocName, _ = to["name"].(string)
		up.Field, _ = to["field"].(string)
	}
	return one(w.Upload(ctx, up))
}

// summed is a file whose content was hashed as it came in.
type summed interface{ SHA256() []byte }

func sumOf(file graphql.Upload) []byte {
	if s, ok := file.File.(summed); ok {
		return s.SHA256()
	}
	return nil
}

// uploadShape is the payload of an upload. Its document is a File; where the graph has no
// such type, nothing but its name and DocType.
func uploadShape(x *execution, _ *doctype.Type, f graphql.CollectedField) (*payload, error) {
	return x.compilePayload(f, "UploadPayload", func(p *payloadField) (err error) {
		if p.Name != "document" {
			return nil
		}
		p.typ = x.engine.registry.ByKey(fileDocType)
		if p.typ == nil {
			p.typ = x.comp.foreignType(fileDocType)
		}
		p.dynamic = &dynamicSelection{field: p.CollectedField, byTyp: map[*doctype.Type]*selection{}}
		_, err = x.comp.dynamicFor(p.dynamic, p.typ)
		return err
	})
}

// digestOf tells files apart in an idempotency key's request.
func digestOf(file graphql.Upload) []any {
	return []any{file.Filename, file.Size, hex.EncodeToString(sumOf(file))}
}
