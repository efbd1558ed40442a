package doctype

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/goccy/go-yaml"
)

// writeWords are what the setting `writes` of a DocType may name. submit stands for
// submit, cancel and amend.
var writeWords = []string{"create", "update", "delete", "submit", "rename", "workflow"}

// MethodConfig declares a whitelisted server method as a mutation.
type MethodConfig struct {
	// Method is its dotted path, or the name of a Server Script of type API that has a dot.
	Method string `yaml:"method"`
	// Description is the mutation's.
	Description string `yaml:"description"`
	// Arguments are what the client gives.
	Arguments ArgumentConfigs `yaml:"arguments"`
	// Fill are arguments that the server gives, by the method's own name of them: "user" or
	// "fullName" of the caller.
	Fill map[string]string `yaml:"fill"`
	// Result is the GraphQL type of the answer; "" when it says nothing.
	Result string `yaml:"result"`
	// Repeatable says that calling it twice does no more than calling it once.
	Repeatable bool `yaml:"repeatable"`
}

// ArgumentConfig declares one argument of a method.
type ArgumentConfig struct {
	Name string `yaml:"-"`
	// Type is a scalar of GraphQL, or a list of one: "String!", "[Int!]".
	Type string `yaml:"type"`
	// As is the method's own name of the argument; without it, Name in snake_case.
	As string `yaml:"as"`
}

// ArgumentConfigs are the arguments in the order of the file.
type ArgumentConfigs []*ArgumentConfig

// UnmarshalYAML reads a mapping of arguments by name.
func (a *ArgumentConfigs) UnmarshalYAML(unmarshal func(any) error) error {
	var order yaml.MapSlice
	if err := unmarshal(&order); err != nil {
		return err
	}
	var all map[string]*ArgumentConfig
	if err := unmarshal(&all); err != nil {
		return err
	}
	for _, item := range order {
		name := fmt.Sprint(item.Key)
		arg := all[name]
		if arg == nil {
			arg = &ArgumentConfig{}
		}
		arg.Name = name
		*a = append(*a, arg)
	}
	return nil
}

// checkWrites holds the settings of writing to what can be told without facts.
func (c *Config) checkWrites() error {
	for _, pattern := range c.Optional {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("doctypes.yml: optional: %q: %w", pattern, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.DocTypes)) {
		t := c.DocTypes[name]
		if t == nil {
			continue
		}
		for i, word := range t.Writes {
			switch {
			case !slices.Contains(writeWords, word):
				return fmt.Errorf("doctypes.yml: %s: writes: there is no %q: it takes some of %v", name, word, writeWords)
			case slices.Contains(t.Writes[:i], word):
				return fmt.Errorf("doctypes.yml: %s: writes: %s stands there twice", name, word)
			}
		}
	}
	return nil
}
