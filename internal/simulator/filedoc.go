package simulator

import (
	"encoding/base64"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// beforeInsert is what the code of a DocType does before a new document has a name.
func (d *draft) beforeInsert() error {
	if d.meta.Name == "File" {
		return d.newFile()
	}
	return nil
}

// newFile finds or keeps the contents of a File document that is inserted like any other,
// without an upload (frappe/core/doctype/file/file.py, before_insert). What has neither
// contents nor a URL goes on to checkFile.
func (d *draft) newFile() error {
	at, err := url.PathUnescape(d.text("file_url"))
	if err != nil {
		at = d.text("file_url") // Python leaves alone what it cannot unquote
	}
	d.doc.set("file_url", at)
	if d.text("folder") == "" && cint(d.doc.get("is_home_folder")) == 0 {
		d.doc.set("folder", "Home")
		if d.text("attached_to_doctype") != "" {
			d.doc.set("folder", "Home/Attachments")
		}
	}
	if at != "" {
		d.doc.set("is_private", cint(strings.HasPrefix(at, "/private")))
	}
	switch name := d.text("file_name"); {
	case name == "" && at == "":
		return thrown("MandatoryError", "Fields `file_name` or `file_url` must be set for File")
	case name == "":
		d.doc.set("file_name", path.Base(at))
	default:
		d.doc.set("file_name", strings.ReplaceAll(name, "/", ""))
	}
	if ext := path.Ext(d.text("file_name")); ext != "" && cint(d.doc.get("is_folder")) == 0 {
		d.doc.set("file_type", strings.ToUpper(ext[1:]))
	}
	if cint(d.doc.get("is_folder")) != 0 || isRemote(at) {
		return nil
	}
	return d.fileContents(at)
}

// fileContents keeps the contents that were sent, or looks up those under the URL.
func (d *draft) fileContents(at string) error {
	content, err := d.sentContent()
	switch {
	case err != nil:
		return err
	case content == nil && at == "":
		return nil
	case content == nil:
		if err := checkFileURL(at); err != nil {
			return err
		}
		if content = d.snap.files[at]; content == nil {
			return python("FileNotFoundError", "[Errno 2] No such file or directory: '."+at+"'")
		}
	}
	if err := d.q.checkSize(content.size); err != nil {
		return err
	}
	private := min(1, cint(d.doc.get("is_private")))
	name, at := d.snap.keepFile(d.q.s.collation, d.text("file_name"), content, private)
	for k, v := range map[string]any{"is_private": private, "file_name": name, "file_url": at, "file_size": content.size, "content_hash": content.hash} {
		d.put(k, v)
	}
	return nil
}

// noBase64 is what Python's decoder skips.
var noBase64 = regexp.MustCompile(`[^A-Za-z0-9+/]`)

// sentContent is the member content of a new File document: text, or with decode base64,
// which may stand after the comma of a data URL. It is nil without any.
func (d *draft) sentContent() (*blob, error) {
	text, ok := d.sent.get("content").(string)
	if !ok || text == "" {
		return nil, nil //nolint:nilnil // no contents are no error
	}
	if !truthy(d.sent.get("decode")) {
		return memoryBlob([]byte(text)), nil
	}
	if parts := strings.Split(text, ","); len(parts) > 1 {
		text = parts[1]
	}
	raw, err := base64.RawStdEncoding.DecodeString(noBase64.ReplaceAllString(text, ""))
	if err != nil {
		return nil, python("binascii.Error", "Invalid base64-encoded string")
	}
	return memoryBlob(raw), nil
}

// isRemote tells the URL of a file that is elsewhere.
func isRemote(at string) bool {
	return strings.HasPrefix(at, "http://") || strings.HasPrefix(at, "https://")
}

func checkFileURL(at string) error {
	if strings.HasPrefix(at, "/files/") || strings.HasPrefix(at, "/private/files/") {
		return nil
	}
	return thrownTitle("ValidationError", "URL must start with http:// or https://", "Invalid URL")
}

// checkFile refuses a File document that leads to no contents (file.py, validate).
func (d *draft) checkFile() error {
	at := d.text("file_url")
	switch {
	case cint(d.doc.get("is_folder")) != 0:
		return nil
	case d.text("attached_to_doctype") != "" && d.text("attached_to_name") == "":
		return thrown("ValidationError", "Attached To Name must be a string or an integer")
	case isRemote(at):
		return nil
	case at == "":
		if d.snap.files[fileURL(d.text("file_name"), cint(d.doc.get("is_private")))] == nil {
			return noFile("")
		}
		return nil
	case d.snap.files[at] == nil:
		if err := checkFileURL(at); err != nil {
			return err
		}
		return noFile(at)
	}
	return nil
}
