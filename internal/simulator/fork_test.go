package simulator_test

import (
	"slices"
	"testing"

	"erpgraph/internal/simulator"
)

// What is written to a fork does not show in the site it was made from, nor the other
// way round.
func TestFork(t *testing.T) {
	t.Parallel()
	options, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	site, err := simulator.New(options)
	if err != nil {
		t.Fatal(err)
	}
	fork := site.Fork()
	before := site.Names("Brand")
	if err := fork.Insert("Brand", map[string]any{"name": "Fork", "brand": "Fork"}); err != nil {
		t.Fatal(err)
	}
	if err := site.Insert("Brand", map[string]any{"name": "Site", "brand": "Site"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		site *simulator.Server
		want string
	}{{site, "Site"}, {fork, "Fork"}} {
		want := append(slices.Clone(before), c.want)
		got := c.site.Names("Brand")
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("brands %v, want %v", got, want)
		}
	}
}
