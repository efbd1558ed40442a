package engine

import (
	"context"

	"erpgraph/internal/apierror"
)

// The cost of an operation is told from its text: it takes child tables and other lists
// without a page size for short. What they turn out to be is bounded here.
const (
	// maxObjects bounds the objects of an answer.
	maxObjects = 250_000
	// maxCustom bounds the runs of hand-written resolvers: each is a goroutine.
	maxCustom = 10_000
	// maxAnswer bounds the bytes of an answer.
	maxAnswer = 64 << 20
	// checkEvery is after how many objects the deadline is looked at.
	checkEvery = 4096
)

// budget counts what an execution makes. Objects are made and written by one goroutine.
type budget struct {
	objects, custom int
	// over is why no more is made; the operation fails by it.
	over error
}

// object takes one object from the budget; false when it is used up.
func (b *budget) object(ctx context.Context) bool {
	if b.over != nil {
		return false
	}
	b.objects++
	if b.objects%checkEvery == 0 {
		if err := context.Cause(ctx); err != nil {
			b.over = deadline(err)
		}
	}
	if b.objects > maxObjects {
		b.over = tooMuch("objects", maxObjects)
	}
	return b.over == nil
}

// resolver takes one run of a hand-written resolver.
func (b *budget) resolver() bool {
	b.custom++
	if b.custom > maxCustom && b.over == nil {
		b.over = tooMuch("resolvers", maxCustom)
	}
	return b.over == nil
}

// bytes checks the length of an answer.
func (b *budget) bytes(n int) bool {
	if n > maxAnswer && b.over == nil {
		b.over = tooMuch("bytes", maxAnswer)
	}
	return b.over == nil
}

func tooMuch(what string, limit int) error {
	e := apierror.New(apierror.CostLimit,
		"the answer would have more than %d %s: ask for smaller pages, or fewer lists within lists", limit, what)
	e.Extensions = map[string]any{"limit": what, "max": limit}
	return e
}
