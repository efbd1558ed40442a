package httpapi

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// deliveryRate is how many bytes a second of a file must go on to ERPNext: what package
// frappe allows an upload there is not to be cut off here.
const deliveryRate = 32 << 10

// serveUpload runs a request that carries files. They are stored before the operation
// begins, so whatever can be refused is refused first: nobody who is not known to ERPNext
// can fill the disk, and nobody can alone.
func (t *transport) serveUpload(ctx context.Context, w http.ResponseWriter, r *http.Request, id auth.Identity) (*answer, error) {
	if err := checkEncoding(r.Header); err != nil {
		return nil, err
	}
	if r.ContentLength > t.limits.UploadBytes {
		return nil, uploadTooLarge(t.limits.UploadBytes)
	}
	user, err := t.uploader(ctx, id)
	if err != nil {
		return nil, err
	}
	release, err := t.uploads.take(ctx, user)
	if err != nil {
		return nil, err
	}
	defer release()
	files := &spool{dir: t.uploadDir}
	defer func() { // after the resolvers, and before the place among the uploads is free
		if err := files.close(); err != nil {
			t.exec.presenter.logInternal(ctx, err, nil)
		}
	}()
	params, err := t.receive(w, r, files)
	LogAttrs(ctx, slog.Int64("uploadBytes", files.length))
	if err != nil {
		return nil, err
	}
	return t.run(ctx, r, id, params, t.limits.Time+time.Duration(files.length/deliveryRate)*time.Second)
}

// uploader names whose share of the uploads a request counts to. Anybody can make up a
// credential, so ERPNext is asked whose it is; and a user with many has one share.
func (t *transport) uploader(ctx context.Context, id auth.Identity) (string, error) {
	if id.IsZero() {
		return "", apierror.New(apierror.Unauthenticated, "files can be sent only with a credential")
	}
	release, err := t.slots.take(ctx, id.Key())
	if err != nil {
		return "", err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, t.limits.Time)
	defer cancel()
	if err := t.callers.admit(ctx, id); err != nil {
		return "", err
	}
	if t.callers.user == nil {
		return id.Key(), nil
	}
	name, err := t.callers.user(ctx, id)
	return cmp.Or(name, id.Key()), err
}

// receive reads the form, from a client that may be slow but must go on.
func (t *transport) receive(w http.ResponseWriter, r *http.Request, files *spool) (*graphql.RawParams, error) {
	started, control := graphql.Now(), http.NewResponseController(w)
	body := &pacedBody{
		body: http.MaxBytesReader(w, r.Body, t.limits.UploadBytes), setDeadline: control.SetReadDeadline, started: time.Now(),
	}
	f, err := newForm(r.Header.Get("Content-Type"), body, t.limits, files)
	if err != nil {
		return nil, err
	}
	params, err := f.read()
	if err != nil {
		return nil, err
	}
	// Not every writer has deadlines; those that have none are tests.
	_ = control.SetReadDeadline(time.Time{})
	params.ReadTime = graphql.TraceTiming{Start: started, End: graphql.Now()}
	return params, nil
}

func uploadTooLarge(limit int64) *requestError {
	return &requestError{status: http.StatusRequestEntityTooLarge, err: limitError("uploadBytes", int(limit), 0,
		"the files of the request are larger than %d bytes together; send fewer in one request", limit)}
}
