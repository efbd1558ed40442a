package write

import (
	"context"
	"crypto/md5" //nolint:gosec // ERPNext's own hash of a file's content, to recognise one: it guards nothing
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// Rename gives a document another name, everywhere it is linked; with merge it joins the
// document into the one of that name.
//
// Errors are those of Update.
func (w *Writer) Rename(ctx context.Context, t *doctype.Type, name, to string, merge bool) (*Result, error) {
	if err := writable(t, t.Writes.Rename, "renamed"); err != nil {
		return nil, err
	}
	if err := docname("to", to); err != nil {
		return nil, err
	}
	return w.once(ctx, &operation{
		t: t, name: name,
		hashed: []any{"rename", t.Key, name, to, merge},
		before: func(ctx context.Context) (attempt, error) { return w.present(ctx, t, name, "") },
		probe: func(ctx context.Context, a attempt) (*Result, error) {
			return w.probeRename(ctx, t, name, to, merge, a)
		},
		call: func(ctx context.Context, _ attempt) (*Result, error) {
			answer, err := w.cfg.Upstream.Rename(ctx, w.set.Credential(), t.Key, name, to, merge)
			return written(t, to, answer, err, "rename")
		},
	})
}

// docname refuses what can be no document's name. What MariaDB or a URL can't hold would
// come back as a failure of ERPNext.
func docname(path string, name any) error {
	text, err := textOf(name)
	switch {
	case err != nil:
		return bad(path, "%s", err)
	case text == "" || utf8.RuneCountInString(text) > nameLength:
		return bad(path, "must have 1 to %d characters", nameLength)
	default:
		return nil
	}
}

// fileType is the DocType of uploaded files.
const fileType = "File"

// fileColumns are what an upload gives of the stored File.
var fileColumns = []string{nameColumn, "file_url", "file_size", "is_private", "file_name"}

// Upload stores a file, and attaches it where that is asked for. Result.Value is the
// stored File: {"name", "file_url", "file_size", "is_private", "file_name"}.
//
// Errors: FORBIDDEN and NOT_FOUND of the document that it is attached to, VALIDATION for
// what ERPNext does not take.
func (w *Writer) Upload(ctx context.Context, up Upload) (*Result, error) {
	t := w.cfg.Registry.ByKey(fileType)
	if err := attachable(up); err != nil {
		return nil, err
	}
	if w.key != "" && len(up.Sum) == 0 {
		hash, err := contentHash(up.Content)
		if err != nil {
			return nil, err
		}
		up.Sum = []byte(hash)
	}
	op := &operation{
		t: t, oldest: true,
		hashed: []any{"upload", up.Filename, up.Private, up.DocType, up.DocName, up.Field, up.Sum},
		before: func(ctx context.Context) (attempt, error) { return w.newest(ctx, fileType) },
		probe:  func(ctx context.Context, a attempt) (*Result, error) { return w.probeUpload(ctx, t, up, a) },
		call: func(ctx context.Context, _ attempt) (*Result, error) {
			if err := w.mayAttach(ctx, up); err != nil {
				return nil, err
			}
			answer, err := w.cfg.Upstream.Upload(ctx, w.set.Credential(), up.Upload)
			if err != nil {
				return nil, fmt.Errorf("upload a file: %w", err)
			}
			value, err := fileValue(answer.Document)
			return &Result{
				Type: t, Name: answer.Name, Messages: answer.Messages, Value: value, created: rawText(answer.Document[creationColumn]),
			}, err
		},
	}
	result, err := w.once(ctx, op)
	if err != nil || result.Value != nil {
		return result, err
	}
	// The key keeps identity only: the rest is read anew, as the caller.
	stored, err := w.cfg.Upstream.Document(ctx, w.set.Credential(), fileType, result.Name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", fileType, err)
	}
	result.Value, err = fileValue(stored)
	return result, err
}

// attachable refuses a place that can be none.
func attachable(up Upload) error {
	switch {
	case up.DocType == "" && up.DocName == "" && up.Field == "":
		return nil
	case up.DocType == "" || up.DocName == "":
		return bad("attachTo", "needs a doctype and a name")
	}
	if err := docname("attachTo.doctype", up.DocType); err != nil {
		return err
	}
	if err := docname("attachTo.name", up.DocName); err != nil || up.Field == "" {
		return err
	}
	return docname("attachTo.field", up.Field)
}

// mayAttach asks whether the caller may write the document that a file is to be attached
// to. ERPNext asks that itself, but takes a document that does not exist for one that is
// yet to be saved, and the file would belong to nothing (handler.py check_write_permission).
func (w *Writer) mayAttach(ctx context.Context, up Upload) error {
	if up.DocType == "" {
		return nil
	}
	may, err := w.cfg.Upstream.MayDo(ctx, w.set.Credential(), up.DocType, up.DocName, "write")
	if err != nil {
		return fmt.Errorf("ask for the right to attach a file: %w", err)
	}
	if !may {
		return apierror.New(apierror.Forbidden, "ERPNext does not permit this").About(up.DocType, up.DocName, "")
	}
	return nil
}

func fileValue(stored document) (jsontext.Value, error) {
	out := make(document, len(fileColumns))
	for _, column := range fileColumns {
		out[column] = jsontext.Value("null")
		if v := stored[column]; len(v) > 0 {
			out[column] = v
		}
	}
	b, err := json.Marshal(out, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write a File: %w", err)
	}
	return b, nil
}

// contentHash is a file's hash as ERPNext keeps it (core/doctype/file/utils.py). The
// content stands where it stood.
func contentHash(content io.ReadSeeker) (string, error) {
	start, err := content.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", fmt.Errorf("read the file again: %w", err)
	}
	h := md5.New() //nolint:gosec // see the import
	if _, err := io.Copy(h, content); err != nil {
		return "", fmt.Errorf("read the file again: %w", err)
	}
	if _, err := content.Seek(start, io.SeekStart); err != nil {
		return "", fmt.Errorf("read the file again: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Call calls a server method that doctypes.yml declares. Result.Value is its answer where
// that is a scalar or nothing of the graph, Name and Names say which documents it gave.
// A retry under the same key does not have the Value of a method that is not repeatable:
// keys keep no content.
//
// Errors: BAD_USER_INPUT for arguments, those of ERPNext.
func (w *Writer) Call(ctx context.Context, m *doctype.Method, args Input) (*Result, error) {
	values, err := w.arguments(ctx, m, args)
	if err != nil {
		return nil, err
	}
	target := w.cfg.Registry.ByKey(m.Target)
	op := &operation{
		hashed: []any{"call", m.Path, values},
		probe: func(context.Context, attempt) (*Result, error) {
			if m.Repeatable {
				return nil, nil //nolint:nilnil // once more does no harm
			}
			return nil, errUnknown(nil)
		},
		call: func(ctx context.Context, _ attempt) (*Result, error) {
			answer, err := w.cfg.Upstream.CallMethod(ctx, w.set.Credential(), m.Path, values)
			if err != nil {
				return nil, fmt.Errorf("call %s: %w", m.Name, err)
			}
			return methodResult(m, target, answer)
		},
	}
	result, err := w.once(ctx, op)
	if err == nil && result.Replayed && m.Repeatable && m.Kind == doctype.ScalarResult {
		if result, err = op.call(ctx, attempt{}); err != nil {
			return nil, w.explain(ctx, op, err)
		}
		result.Replayed = true
	}
	return result, err
}

// arguments brings a method's arguments to the function's own names and values.
func (w *Writer) arguments(ctx context.Context, m *doctype.Method, args Input) (map[string]any, error) {
	zone, err := w.siteZone(ctx)
	if err != nil {
		return nil, err
	}
	values := make(map[string]any, len(m.Args)+len(m.Fill))
	known := make(map[string]bool, len(m.Args))
	for _, arg := range m.Args {
		known[arg.Name] = true
		v := args[arg.Name]
		if v == nil {
			if arg.NonNull {
				return nil, bad(arg.Name, "is required")
			}
			continue
		}
		if values[arg.As], err = w.argument(arg, v, zone); err != nil {
			return nil, err
		}
	}
	for _, name := range sortedKeys(args) {
		if !known[name] {
			return nil, bad(name, "%s has no such argument", m.Name)
		}
	}
	return values, w.fill(ctx, m, values)
}

func (w *Writer) fill(ctx context.Context, m *doctype.Method, values map[string]any) error {
	if len(m.Fill) == 0 {
		return nil
	}
	user, err := w.set.Caller(ctx)
	if err != nil {
		return err
	}
	for as, what := range m.Fill {
		switch what {
		case "user":
			values[as] = user.Name
		case "fullName":
			values[as] = user.FullName
		default:
			return fmt.Errorf("method %s: nothing fills %q", m.Name, what)
		}
	}
	return nil
}

func (w *Writer) argument(arg *doctype.MethodArg, v any, zone *time.Location) (any, error) {
	if !arg.List {
		return w.argumentValue(arg, v, arg.Name, zone)
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) > maxRows {
		return nil, bad(arg.Name, "has more than %d values", maxRows)
	}
	out := make([]any, len(list))
	for i, item := range list {
		at := arg.Name + "." + strconv.Itoa(i)
		if item == nil {
			if arg.Item {
				return nil, bad(at, "must not be null")
			}
			continue
		}
		var err error
		if out[i], err = w.argumentValue(arg, item, at, zone); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// argumentValue is one value: as JSON has it, since the function takes it, and no column.
func (w *Writer) argumentValue(arg *doctype.MethodArg, v any, path string, zone *time.Location) (any, error) {
	raw := arg.Kind == doctype.Boolean || arg.Kind == doctype.JSON
	return w.coerce(&doctype.Field{Name: arg.Name, Kind: arg.Kind}, raw, v, path, zone)
}

// errMethodResult is a method that does not answer what doctypes.yml says.
var errMethodResult = errors.New("the method's answer is not what doctypes.yml declares")

func methodResult(m *doctype.Method, target *doctype.Type, answer *frappe.Answer) (*Result, error) {
	r := &Result{Type: target, Messages: answer.Messages}
	switch {
	case m.Kind == doctype.ScalarResult:
		if r.Value = answer.Message; r.Value == nil {
			r.Value = jsontext.Value("null")
		}
		return r, nil
	case m.Kind == doctype.NoResult || answer.Message == nil || answer.Message.Kind() == 'n':
		return r, nil
	case !m.List:
		var err error
		r.Name, err = docnameOf(answer.Message)
		return r, err
	}
	var items []jsontext.Value
	if err := json.Unmarshal(answer.Message, &items); err != nil {
		return nil, madeBut(errMethodResult)
	}
	for _, item := range items {
		name, err := docnameOf(item)
		if err != nil {
			return nil, err
		}
		r.Names = append(r.Names, name)
	}
	return r, nil
}

// docnameOf is the name of a document that a method gives by its name or as it is.
func docnameOf(v jsontext.Value) (string, error) {
	if v.Kind() == '{' {
		var d document
		if err := json.Unmarshal(v, &d); err != nil {
			return "", madeBut(errMethodResult)
		}
		v = d[nameColumn]
	}
	if name := rawText(v); name != "" {
		return name, nil
	}
	return "", madeBut(errMethodResult)
}

// madeBut is the error of a call that ERPNext has carried out, and that can't be shown.
func madeBut(err error) error {
	e := apierror.Wrap(apierror.UpstreamUnavailable, err, "ERPNext has made the call, but its answer can't be read")
	e.Extensions = map[string]any{"uncertain": true}
	return e
}
