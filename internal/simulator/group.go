package simulator

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// aggregate forms groups and computes their rows. Columns that are not grouped answer
// the group's first row, as MariaDB does without ONLY_FULL_GROUP_BY.
func (qr *query) aggregate(tuples []tuple) [][]value {
	var groups [][]tuple
	if len(qr.group) == 0 {
		groups = [][]tuple{tuples}
	} else {
		groups = qr.groups(tuples)
	}
	rows := make([][]value, len(groups))
	for i, g := range groups {
		row := make([]value, len(qr.items))
		for j, it := range qr.items {
			row[j] = it.compute(g)
		}
		rows[i] = row
	}
	qr.sortGroups(groups, rows)
	if qr.distinct {
		rows = distinctRows(rows)
	}
	return page(rows, qr.args.start, qr.args.limit)
}

// groups come in the order of the grouped columns.
func (qr *query) groups(tuples []tuple) [][]tuple {
	index := make(map[string]int)
	var groups [][]tuple
	for _, t := range tuples {
		var b strings.Builder
		for _, ref := range qr.group {
			writeKey(&b, t.value(ref))
		}
		i, ok := index[b.String()]
		if !ok {
			i = len(groups)
			index[b.String()] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], t)
	}
	slices.SortStableFunc(groups, func(a, b []tuple) int {
		for _, ref := range qr.group {
			if c := compareValues(a[0].value(ref), b[0].value(ref)); c != 0 {
				return c
			}
		}
		return 0
	})
	return groups
}

func (qr *query) sortGroups(groups [][]tuple, rows [][]value) {
	if len(qr.order) == 0 || len(qr.group) == 0 {
		return
	}
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	at := func(i int, o orderTerm) value {
		if o.item >= 0 {
			return rows[i][o.item]
		}
		return groups[i][0].value(o.ref)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		for _, o := range qr.order {
			if c := compareValues(at(a, o), at(b, o)); c != 0 {
				if o.desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	sorted := make([][]value, len(rows))
	for i, from := range order {
		sorted[i] = rows[from]
	}
	copy(rows, sorted)
}

// compute evaluates an item over a group.
func (it *item) compute(group []tuple) value {
	if !it.isAggregate() {
		if len(group) == 0 {
			return value{}
		}
		return group[0].value(it.ref)
	}
	if it.star {
		return intValue(int64(len(group)))
	}
	var vals []value
	seen := make(map[string]bool)
	for _, t := range group {
		v := t.value(it.ref)
		if v.isNull() {
			continue
		}
		if it.distinct {
			k := rowKey([]value{v})
			if seen[k] {
				continue
			}
			seen[k] = true
		}
		vals = append(vals, v)
	}
	switch {
	case it.function == "count":
		return intValue(int64(len(vals)))
	case len(vals) == 0:
		return value{}
	case it.function == "min":
		return slices.MinFunc(vals, compareValues)
	case it.function == "max":
		return slices.MaxFunc(vals, compareValues)
	default:
		return total(vals, it.function == "avg")
	}
}

// total is a sum or an average, computed exactly to nine decimals as the database does
// with its DECIMAL columns, the average to thirteen.
func total(vals []value, average bool) value {
	sum := new(big.Int)
	for _, v := range vals {
		sum.Add(sum, big.NewInt(int64(math.Round(v.number()*1e9))))
	}
	r := new(big.Rat).SetFrac(sum, big.NewInt(1e9))
	digits := 9
	if average {
		r.Quo(r, new(big.Rat).SetInt64(int64(len(vals))))
		digits = 13
	}
	exact, _ := new(big.Rat).SetString(r.FloatString(digits))
	f, _ := exact.Float64()
	return floatValue(f)
}
