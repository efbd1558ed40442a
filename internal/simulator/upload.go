package simulator

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// websiteUploads are the kinds of file that users without a desk may upload
// (ALLOWED_MIMETYPES of frappe/handler.py). The name alone tells the kind.
var websiteUploads = []string{".jpg", ".jpeg", ".jpe", ".png", ".pdf", ".txt", ".doc", ".docx", ".xls", ".xlsx"}

// uploadFile is upload_file: a form with the file and what to attach it to.
func (q *call) uploadFile() (any, error) {
	if q.user.isGuest() {
		return nil, raised("PermissionError", "")
	}
	if q.upload == nil {
		f := thrown("MandatoryError", "Fields `file_name` or `file_url` must be set for File")
		return nil, f
	}
	if !q.user.desk && !q.user.isAdmin() && !slices.Contains(websiteUploads, strings.ToLower(path.Ext(q.upload.filename))) {
		return nil, thrown("ValidationError", "You can only upload JPG, PNG, PDF, TXT or Microsoft documents.")
	}
	folder := q.arg("folder")
	if folder == "" {
		folder = "Home"
	}
	answer, err := q.storeFile(file{name: q.upload.filename, content: q.upload.content, folder: folder, field: q.arg("fieldname")})
	q.upload.kept = err == nil
	return answer, err
}

// attachFile is frappe.client.attach_file.
func (q *call) attachFile() (any, error) {
	content := []byte(q.arg("filedata"))
	if truthy(q.form.get("decode_base64")) {
		raw, err := base64.StdEncoding.DecodeString(string(content))
		if err != nil {
			return nil, python("binascii.Error", "Incorrect padding")
		}
		content = raw
	}
	return q.storeFile(file{name: q.arg("filename"), content: memoryBlob(content), folder: "Home/Attachments", field: q.arg("docfield")})
}

// file is one that is to be stored.
type file struct {
	name, folder, field string
	content             *blob
}

// storeFile makes the File document, with the checks and names of
// frappe/core/doctype/file/file.py, and puts the contents where its URL leads.
func (q *call) storeFile(f file) (any, error) {
	if f.content.size == 0 {
		return nil, noFile("")
	}
	if err := q.checkSize(f.content.size); err != nil {
		return nil, err
	}
	var d *document
	err := q.transact(func(snap *snapshot) error {
		if err := q.mayAttach(snap); err != nil {
			return err
		}
		doc := q.fileDocument(snap, f)
		if err := snap.put(q.s, "File", doc); err != nil {
			return err
		}
		d = snap.document(q.s.collation, "File", cstr(doc.get("name")))
		q.inserted(snap, "File", d.row.name())
		return q.noteAttachment(snap, d)
	})
	if err != nil {
		return nil, err
	}
	return d.object(q.snap, nil, false), nil
}

// noFile is the complaint about a URL, maybe empty, under which no contents are.
func noFile(url string) error {
	text := "File " + url + " does not exist"
	return thrown("OSError", text).as("OSError", text)
}

func (q *call) checkSize(size int64) error {
	limit := q.maxFile()
	if size <= limit {
		return nil
	}
	e := thrown("MaxFileSizeReachedError", fmt.Sprintf("File size exceeded the maximum allowed size of %s MB", formatFloat(float64(limit)/(1<<20))))
	e.class = "frappe.core.doctype.file.exceptions.MaxFileSizeReachedError"
	return e
}

// mayAttach checks the right to change the document that a file is for. Of one that is not
// there nothing is checked: a form may upload before it is saved (check_write_permission in
// frappe/handler.py). A client that wants to know has to ask.
func (q *call) mayAttach(snap *snapshot) error {
	doctype, name := q.arg("doctype"), q.arg("docname")
	if doctype == "" {
		return nil
	}
	meta := snap.meta(doctype)
	if meta == nil {
		return notFound("DocType", doctype)
	}
	a := &access{snap: snap, user: q.user, col: q.s.collation}
	d := snap.document(q.s.collation, meta.Name, name)
	switch {
	case name == "" && !a.docType(meta, "write", ""):
		return a.denied("", "No permission for "+meta.Name)
	case d != nil && !a.document(d, "write"):
		return a.denied("", fmt.Sprintf("Insufficient Permission for %s (%s)", meta.Name, bold("write")))
	}
	return nil
}

// unsafeInPath are the characters of a file's name that its URL has as underscores.
var unsafeInPath = regexp.MustCompile(`[/\\%?#]`)

// fileDocument makes the File document and keeps the contents, unless the same are there.
func (q *call) fileDocument(snap *snapshot, f file) object {
	private, now := min(1, cint(q.form.get("is_private"))), q.s.stamp()
	doc := object{
		{"name", q.s.newName()},
		{"owner", q.user.name},
		{"modified_by", q.user.name},
		{"creation", now},
		{"modified", now},
		{"is_private", private},
		{"file_type", strings.ToUpper(strings.TrimPrefix(path.Ext(f.name), "."))},
		{"file_size", f.content.size},
		{"folder", f.folder},
		{"content_hash", f.content.hash},
	}
	if doctype := q.arg("doctype"); doctype != "" {
		doc = append(doc, member{"attached_to_doctype", doctype}, member{"attached_to_name", q.arg("docname")}, member{"attached_to_field", f.field})
	}
	name, at := snap.keepFile(q.s.collation, f.name, f.content, private)
	return append(doc, member{"file_name", name}, member{"file_url", at})
}

// keepFile keeps the contents, unless the same are there, and answers the name and URL that
// a File document has them under.
func (s *snapshot) keepFile(col *collation, name string, content *blob, private int64) (kept, at string) {
	name = strings.ReplaceAll(name, "/", "")
	if at = s.sameFile(col, content.hash, private); at != "" {
		return name, at
	}
	name = s.freeFileName(name, content.hash, private)
	at = fileURL(name, private)
	s.files[at] = content
	return name, at
}

func fileURL(name string, private int64) string {
	at := "/files/" + unsafeInPath.ReplaceAllString(name, "_")
	if private != 0 {
		at = "/private" + at
	}
	return at
}

// sameFile is the URL of a file of equal contents in the same folder, public or private.
func (s *snapshot) sameFile(col *collation, hash string, private int64) string {
	t := s.tables["File"]
	same, is, at := t.meta.column("content_hash"), t.meta.column("is_private"), t.meta.column("file_url")
	for r := range t.holding(same, col.text(&t.meta.columns[same], hash)) {
		if r.vals[is].n == private && s.files[r.vals[at].s] != nil {
			return r.vals[at].s
		}
	}
	return ""
}

// freeFileName puts the end of the hash into a name that is taken, or random digits.
func (s *snapshot) freeFileName(name, hash string, private int64) string {
	ext := path.Ext(name)
	base := strings.TrimSuffix(name, ext)
	suffix := hash[len(hash)-6:]
	for candidate := name; ; candidate = base + suffix + ext {
		if s.files[fileURL(candidate, private)] == nil {
			return candidate
		}
		if candidate != name {
			var b [3]byte
			_, _ = rand.Read(b[:]) // never fails
			suffix = hex.EncodeToString(b[:])
		}
	}
}

// noteAttachment leaves a comment on the document that the file is for.
func (q *call) noteAttachment(snap *snapshot, d *document) error {
	to := snap.document(q.s.collation, d.get("attached_to_doctype").s, d.get("attached_to_name").s)
	if to == nil {
		return nil
	}
	lock := ""
	if d.get("is_private").truthy() {
		lock = ` <i class="fa fa-lock text-warning"></i>`
	}
	href := (&url.URL{Path: d.get("file_url").s}).EscapedPath()
	return q.comment(snap, to, "Attachment", fmt.Sprintf("Added <a href='%s' target='_blank'>%s</a>%s", href, html.EscapeString(d.get("file_name").s), lock))
}

// forgetFile removes the contents with the last File document that has them.
func (s *snapshot) forgetFile(col *collation, d *document) {
	if s.sameFile(col, d.get("content_hash").s, d.get("is_private").n) == "" {
		delete(s.files, d.get("file_url").s)
	}
}

// comment adds one to a document, as Document.add_comment does.
func (q *call) comment(snap *snapshot, on *document, kind, text string) error {
	now, name := q.s.stamp(), q.s.newName()
	err := snap.put(q.s, "Comment", object{
		{"name", name},
		{"owner", q.user.name},
		{"modified_by", q.user.name},
		{"creation", now},
		{"modified", now},
		{"comment_type", kind},
		{"comment_email", q.user.name},
		{"reference_doctype", on.meta.Name},
		{"reference_name", on.row.name()},
		{"content", text},
	})
	if err == nil {
		q.inserted(snap, "Comment", name)
	}
	return err
}
