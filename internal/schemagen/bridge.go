package schemagen

import (
	_ "embed"
	"path/filepath"

	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/templates"
	"github.com/vektah/gqlparser/v2/ast"
)

//go:embed bridge.gotpl
var bridgeTemplate string

// bridge is a gqlgen plugin that writes graph/custom.gen.go: the way by which the
// engine calls a hand-written field in the middle of a selection that it executes.
type bridge struct {
	pruner *pruner
	// stems are the SDL files of which gqlgen writes code in this run.
	stems map[string]bool
}

// Name is the plugin's name in gqlgen's messages.
func (b *bridge) Name() string { return "erpgraph-bridge" }

// GenerateCode writes the bridge.
func (b *bridge) GenerateCode(data *codegen.Data) error {
	// Stock gqlgen would put a copy of all SDL into the package and parse it whenever
	// the package is loaded. New is given the schema instead, so a stub is enough here.
	data.AugmentedSources = []codegen.AugmentedSource{{
		RelativePath: "stub.graphqls",
		Source:       "# New is given the schema; see package schema.\ntype Query { stub: Boolean }\n",
	}}
	b.stems = stems(data)
	var objects []*codegen.Object
	for _, o := range data.Objects {
		if b.pruner.custom[o.Name] != nil {
			objects = append(objects, o)
		}
	}
	return templates.Render(templates.Options{
		PackageName:     data.Config.Exec.Package,
		Filename:        filepath.Join(data.Config.Exec.DirName, "custom.gen.go"),
		GeneratedHeader: true,
		Data:            objects,
		Template:        bridgeTemplate,
		Packages:        data.Config.Packages,
		PruneOptions:    data.Config.GetPruneOptions(),
	})
}

// copyAt is a definition that stands somewhere else.
func copyAt(def *ast.Definition, pos *ast.Position) *ast.Definition {
	moved := *def
	moved.Position = pos
	return &moved
}

// stems are the base names of the SDL files that hold anything gqlgen writes code for.
func stems(data *codegen.Data) map[string]bool {
	found := map[string]bool{}
	add := func(pos *ast.Position) {
		if pos != nil && pos.Src != nil {
			found[stemOf(pos.Src.Name)] = true
		}
	}
	for _, o := range data.Objects {
		add(o.Position)
	}
	for _, o := range data.Inputs {
		add(o.Position)
	}
	for _, i := range data.Interfaces {
		add(i.Position)
	}
	for _, t := range data.ReferencedTypes {
		add(t.Definition.Position)
	}
	for _, d := range data.AllDirectives {
		add(d.Position)
	}
	return found
}
