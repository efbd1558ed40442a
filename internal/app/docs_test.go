package app_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"erpgraph/internal/app"
)

// Every setting has its row in the reference, with its variable, flag, default and help.
func TestConfigurationReference(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]bool{}
	for field := range reflect.TypeFor[app.Config]().Fields() {
		tag := field.Tag
		variable := tag.Get("env")
		variables[variable] = true
		value := ""
		if d := tag.Get("default"); d != "" {
			value = "`" + d + "`"
		}
		want := strings.Join([]string{"|", "`" + variable + "`", "|", "`--" + tag.Get("name") + "`", "|", value, "|", tag.Get("help"), "|"}, " ")
		if !strings.Contains(string(page), want+"\n") {
			t.Errorf("docs/configuration.md lacks the row of %s:\n%s", field.Name, want)
		}
	}
	table, _, _ := strings.Cut(string(page), "## ")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || !strings.Contains(cells[2], "`--") {
			continue
		}
		if variable := strings.Trim(cells[1], " `"); !variables[variable] {
			t.Errorf("docs/configuration.md tells of %s, which is no setting", variable)
		}
	}
}
