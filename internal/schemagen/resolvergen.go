package schemagen

import (
	_ "embed"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/templates"
	"github.com/99designs/gqlgen/plugin/resolvergen"
	"github.com/vektah/gqlparser/v2/ast"
)

//go:embed resolvers.gotpl
var resolverTemplate string

// resolverPlugin takes the place of gqlgen's own: engine root fields become one-liners
// in <stem>.gen.go, which people never open; the stock plugin gets the hand-written
// fields alone, and keeps their bodies in <stem>.resolvers.go.
type resolverPlugin struct {
	pruner *pruner
	// written are the SDL files of which this run wrote a <stem>.gen.go.
	written map[string]bool
}

// Name is the stock plugin's, which this replaces.
func (r *resolverPlugin) Name() string { return "resolvergen" }

// genFile is one <stem>.gen.go.
type genFile struct {
	Roots  []*codegen.Object // whose accessor stands here
	Fields []*codegen.Field
}

// GenerateCode writes the resolvers.
func (r *resolverPlugin) GenerateCode(data *codegen.Data) error {
	files, hand := r.split(data)
	r.written = map[string]bool{}
	for _, stem := range sortedKeys(files) {
		r.written[stem] = true
		if err := templates.Render(templates.Options{
			PackageName:     data.Config.Resolver.Package,
			Filename:        filepath.Join(data.Config.Resolver.Dir(), stem+".gen.go"),
			GeneratedHeader: true,
			Data:            files[stem],
			Template:        resolverTemplate,
			Packages:        data.Config.Packages,
			PruneOptions:    data.Config.GetPruneOptions(),
		}); err != nil {
			return err
		}
	}
	return new(resolvergen.Plugin).GenerateCode(hand)
}

// split parts the engine's fields, by SDL file, from a copy of data that holds the
// hand-written ones.
func (r *resolverPlugin) split(data *codegen.Data) (map[string]*genFile, *codegen.Data) {
	files, hand := map[string]*genFile{}, *data
	file := func(pos *ast.Position) *genFile {
		stem := stemOf(pos.Src.Name)
		if files[stem] == nil {
			files[stem] = &genFile{}
		}
		return files[stem]
	}
	hand.Objects = nil
	for _, o := range data.Objects {
		rest := *o
		rest.Fields = nil
		for _, f := range o.Fields {
			if slices.Contains(r.pruner.engineRoots, o.Name+"."+f.Name) {
				g := file(f.Position)
				g.Fields = append(g.Fields, f)
				continue
			}
			rest.Fields = append(rest.Fields, f)
		}
		own := slices.IndexFunc(rest.Fields, func(f *codegen.Field) bool { return f.IsResolver })
		switch {
		case len(rest.Fields) == len(o.Fields):
			hand.Objects = append(hand.Objects, o)
		case own < 0:
			g := file(o.Position)
			g.Roots = append(g.Roots, o)
		default: // a root's accessor stands beside its first hand-written field
			rest.Definition = copyAt(rest.Definition, rest.Fields[own].Position)
			hand.Objects = append(hand.Objects, &rest)
		}
	}
	return files, &hand
}

// stemOf is the base name of an SDL file, by which gqlgen names its output.
func stemOf(name string) string {
	base := path.Base(filepath.ToSlash(name))
	return strings.TrimSuffix(base, path.Ext(base))
}
