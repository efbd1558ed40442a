package doctype

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/goccy/go-yaml"
)

// Config is schema/doctypes.yml: which DocTypes are in the graph, and what of them.
type Config struct {
	// Include switches on what is left out of every type unless asked for.
	Include Include `yaml:"include"`
	// ExcludeFields are patterns (path.Match) of fieldnames that no type gets.
	ExcludeFields []string `yaml:"exclude_fields"`
	// Descriptions puts the site's own help texts beside the labels.
	Descriptions bool `yaml:"descriptions"`
	// DynamicLinks are the DocTypes that get a connection from each type that points
	// at them through a child table of dynamic links: Customer.addresses.
	DynamicLinks []string `yaml:"dynamic_links"`
	// Optional are patterns (path.Match) of fieldnames that ERPNext's code fills on create,
	// although their DocType asks for them.
	Optional []string `yaml:"optional"`
	// Methods are whitelisted server methods that become mutations, by the mutation's name.
	Methods map[string]*MethodConfig `yaml:"methods"`
	// DocTypes are the DocTypes of the graph. Their child tables come with them; a
	// child table needs an entry only to change something of it.
	DocTypes map[string]*TypeConfig `yaml:"doctypes"`
}

// Include is what is left out of every type unless asked for.
type Include struct {
	// Hidden adds the fields that ERPNext's own forms hide.
	Hidden bool `yaml:"hidden"`
}

// TypeConfig bends one type.
type TypeConfig struct {
	// Name is the GraphQL name instead of the one made from the DocType's.
	Name string `yaml:"name"`
	// Plural is the root field of the list instead of the made one.
	Plural string `yaml:"plural"`
	// Fields, when given, are the only fieldnames that stay.
	Fields []string `yaml:"fields"`
	// Hide are fieldnames that go.
	Hide []string `yaml:"hide"`
	// Rename gives fieldnames their GraphQL names.
	Rename map[string]string `yaml:"rename"`
	// IncludeHidden are fieldnames that stay although ERPNext's forms hide them.
	IncludeHidden []string `yaml:"include_hidden"`
	// IncludeExcluded are fieldnames that stay although exclude_fields matches them.
	IncludeExcluded []string `yaml:"include_excluded"`
	// Optional are fieldnames that ERPNext's code fills on create, although the DocType asks
	// for them.
	Optional []string `yaml:"optional"`
	// Writes, when given, are the only mutations of the type: see writeWords. An empty list
	// leaves none.
	Writes []string `yaml:"writes"`
	// Workflow switches the mutations of a workflow on or off; without it the facts decide.
	Workflow *bool `yaml:"workflow"`
	// Descriptions is the global setting for this type alone.
	Descriptions *bool `yaml:"descriptions"`
}

// ParseConfig reads doctypes.yml. An unknown key or a bad pattern is an error that
// says where.
func ParseConfig(data []byte) (*Config, error) {
	var c Config
	if err := yaml.UnmarshalWithOptions(data, &c, yaml.DisallowUnknownField()); err != nil {
		return nil, fmt.Errorf("doctypes.yml: %w", err)
	}
	for _, pattern := range c.ExcludeFields {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("doctypes.yml: exclude_fields: %q: %w", pattern, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.DocTypes)) {
		t := c.DocTypes[name]
		if t == nil {
			continue
		}
		if t.Name != "" && !typeNamePattern.MatchString(t.Name) {
			return nil, fmt.Errorf("doctypes.yml: %s: name %q is not PascalCase", name, t.Name)
		}
		if t.Plural != "" && !fieldNamePattern.MatchString(t.Plural) {
			return nil, fmt.Errorf("doctypes.yml: %s: plural %q is not camelCase", name, t.Plural)
		}
		for _, from := range slices.Sorted(maps.Keys(t.Rename)) {
			if to := t.Rename[from]; !fieldNamePattern.MatchString(to) {
				return nil, fmt.Errorf("doctypes.yml: %s: rename of %s: %q is not camelCase", name, from, to)
			}
		}
	}
	return &c, c.checkWrites()
}

// Names are the DocTypes listed, sorted.
func (c *Config) Names() []string { return slices.Sorted(maps.Keys(c.DocTypes)) }

// of is the entry of a DocType; an empty one where there is none.
func (c *Config) of(doctype string) *TypeConfig {
	if t := c.DocTypes[doctype]; t != nil {
		return t
	}
	return &TypeConfig{}
}

// excluded gives the pattern of exclude_fields that a fieldname falls under.
func (c *Config) excluded(doctype, fieldname string) (string, bool) {
	if slices.Contains(c.of(doctype).IncludeExcluded, fieldname) {
		return "", false
	}
	for _, pattern := range c.ExcludeFields {
		if ok, err := path.Match(pattern, fieldname); err == nil && ok {
			return pattern, true
		}
	}
	return "", false
}
