package schemagen

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen/config"

	"erpgraph/internal/doctype"
)

// generateCode runs gqlgen over the pruned schema and removes what it no longer makes.
func generateCode(root string, reg *doctype.Registry) error {
	cfg, err := config.LoadConfig(filepath.Join(root, "gqlgen.yml"))
	if err != nil {
		return fmt.Errorf("gqlgen.yml: %w", err)
	}
	prune := &pruner{cfg: cfg, reg: reg}
	resolvers := &resolverPlugin{pruner: prune}
	bridge := &bridge{pruner: prune}
	// The pruner comes first: models are made of what it leaves.
	if err := api.Generate(cfg, api.PrependPlugin(prune), api.ReplacePlugin(resolvers), api.AddPlugin(bridge)); err != nil {
		return fmt.Errorf("gqlgen: %w", err)
	}
	if err := removeStale(cfg.Resolver.Dir(), ".gen.go", resolvers.written); err != nil {
		return err
	}
	return removeStale(cfg.Exec.DirName, ".generated.go", bridge.stems)
}

// removeStale deletes what an earlier run made of an SDL file that is gone, or that
// has nothing to write code for any more.
func removeStale(dir, suffix string, stems map[string]bool) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return fmt.Errorf("list generated code: %w", err)
	}
	for _, file := range files {
		stem := strings.TrimSuffix(filepath.Base(file), suffix)
		if stems[stem] || stem == "root_" {
			continue
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("remove stale code: %w", err)
		}
	}
	return nil
}
