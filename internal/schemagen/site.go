package schemagen

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// Site is a MetaSource that asks a live site, as its own desk does: one call for a
// DocType tells its child tables too, custom fields and customised properties merged.
type Site struct {
	client *frappe.Client
	cred   frappe.Credential
}

// NewSite makes a Site from its URL and the value of an Authorization header. Any user
// who may log in will do: Frappe shows metadata to all of them.
func NewSite(url, authorization string) (*Site, error) {
	cred, err := frappe.ParseAuthorization(authorization)
	if err != nil {
		return nil, fmt.Errorf("credential of the site: %w", err)
	}
	client, err := frappe.New(frappe.Config{BaseURL: url})
	if err != nil {
		return nil, fmt.Errorf("site: %w", err)
	}
	return &Site{client: client, cred: cred}, nil
}

// Facts asks the site for one DocType.
func (s *Site) Facts(ctx context.Context, name string) ([]*doctype.Facts, error) {
	docs, err := s.client.Meta(ctx, s.cred, name)
	if apierror.CodeOf(err) == apierror.NotFound {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return nil, err
	}
	return bundle(docs)
}

// bundle reads the DocType documents of one answer.
func bundle(docs jsontext.Value) ([]*doctype.Facts, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(docs, &raw); err != nil {
		return nil, fmt.Errorf("the site's answer: %w", err)
	}
	all := make([]*doctype.Facts, 0, len(raw))
	for _, doc := range raw {
		f, err := doctype.ParseFacts(doc)
		if err != nil {
			return nil, fmt.Errorf("the site's answer: %w", err)
		}
		all = append(all, f)
	}
	return all, nil
}
