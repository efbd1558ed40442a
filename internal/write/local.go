package write

import (
	"cmp"
	"context"
	"strconv"

	"erpgraph/internal/doctype"
)

// The mutations of a single row are a Change of one step.

func (w *Writer) createLocal(ctx context.Context, t *doctype.Type, input Input, o Options) (*Result, error) {
	c := w.Change()
	c.Create(t.Key, input).At(o.path())
	return c.Commit(ctx)
}

func (w *Writer) updateLocal(ctx context.Context, t *doctype.Type, id string, input Input, o Options) (*Result, error) {
	c := w.Change()
	c.Update(t.Key, id, input).At(o.path()).IfModified(o.IfModified)
	return c.Commit(ctx)
}

func (w *Writer) deleteLocal(ctx context.Context, t *doctype.Type, id string) (*Result, error) {
	c := w.Change()
	c.Delete(t.Key, id)
	return c.Commit(ctx)
}

// path is where the client wrote the input: "input", unless it is said otherwise.
func (o Options) path() string {
	if o.Path == "" {
		return "input"
	}
	return o.Path
}

// createLocalMany makes each row a Change of its own, so that one that is refused leaves
// the others. What all of them link to is checked beforehand, at once.
func (w *Writer) createLocalMany(ctx context.Context, t *doctype.Type, inputs []Input, o Options) []RowOutcome {
	path := o.Path
	if path == "" {
		path = "inputs"
	}
	out := make([]RowOutcome, len(inputs))
	key := w.nextKey()
	changes := make([]*Change, len(inputs))
	for i, input := range inputs {
		changes[i] = w.Change()
		changes[i].Create(t.Key, input).At(path + "." + strconv.Itoa(i))
	}
	refused := w.checkMany(ctx, changes)
	for i, c := range changes {
		out[i].Result, out[i].Err = c.commitRow(ctx, rowKey(key, i), refused[i])
	}
	return out
}

// checkMany is what can be found out of many changes before the first of them is made: the
// error of each.
func (w *Writer) checkMany(ctx context.Context, changes []*Change) []error {
	errs := make([]error, len(changes))
	var fit []*Change
	var at []int
	for i, c := range changes {
		if errs[i] = c.begin(); errs[i] == nil {
			errs[i] = c.plan(ctx)
		}
		if errs[i] == nil {
			fit, at = append(fit, c), append(at, i)
		}
	}
	links, err := w.checkLinks(ctx, fit)
	for i, n := range at {
		if errs[n] = links[i]; err != nil {
			errs[n] = err
		}
	}
	return errs
}

// commitRow makes one change of many, unless its own key knows that it was made, or it was
// refused.
func (c *Change) commitRow(ctx context.Context, key string, refused error) (*Result, error) {
	if ctx.Err() != nil {
		return nil, outOfTime(ctx)
	}
	hash, err := c.hash()
	if err != nil {
		return nil, cmp.Or(refused, err)
	}
	claimed, replayed, err := c.w.claimKey(ctx, key, hash)
	switch {
	case err != nil:
		return nil, err
	case replayed != nil:
		return c.replay(replayed)
	case refused != nil:
		claimed.settle(ctx, nil, refused)
		return nil, refused
	default:
		return c.store(ctx, claimed)
	}
}
