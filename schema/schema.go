// Package schema holds the contract of the graph: the SDL, the facts it was made of
// and the settings. They are embedded, so that a server answers by the very files that
// its code was generated from.
package schema

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

//go:generate go run -C .. ./cmd/schemagen generate

// FS holds doctypes.yml, the hand-written SDL, the facts and SDL of ERPNext's DocTypes
// (erpnext/) and of the custom app (app/, app/generated/).
//
//go:embed doctypes.yml *.graphqls erpnext app
var FS embed.FS

// Parse reads and validates all SDL: the schema that clients see. Every call makes a
// schema of its own.
func Parse() (*ast.Schema, error) { return ParseFS(FS) }

// ParseFS is Parse for another folder laid out as this one.
func ParseFS(folder fs.FS) (*ast.Schema, error) {
	var sources []*ast.Source
	for _, pattern := range []string{"*.graphqls", "erpnext/*.graphqls", "app/*.graphqls", "app/generated/*.graphqls"} {
		files, err := fs.Glob(folder, pattern)
		if err != nil {
			return nil, fmt.Errorf("list SDL: %w", err)
		}
		for _, file := range files {
			raw, err := fs.ReadFile(folder, file)
			if err != nil {
				return nil, fmt.Errorf("read SDL: %w", err)
			}
			sources = append(sources, &ast.Source{Name: "schema/" + file, Input: string(raw)})
		}
	}
	parsed, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		return nil, fmt.Errorf("read SDL: %w", err)
	}
	// gqlparser adds @defer to every schema. The engine answers a root field whole, and
	// gqlgen keeps a goroutine for each deferred fragment until a transport asks for it.
	delete(parsed.Directives, "defer")
	return parsed, nil
}
