package simulator

import (
	"math/big"
	"slices"
	"strconv"
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

// decimals are the digits after the point that the database's DECIMAL columns keep.
const decimals = 9

// total is a sum or an average, computed exactly as the database does with its DECIMAL
// columns: a sum to their nine digits after the point, an average to four more.
func total(vals []value, average bool) value {
	sum := new(big.Int)
	for _, v := range vals {
		sum.Add(sum, scaled(v.number()))
	}
	r := new(big.Rat).SetFrac(sum, scaled(1))
	digits := decimals
	if average {
		r.Quo(r, new(big.Rat).SetInt64(int64(len(vals))))
		digits += 4
	}
	exact, _ := new(big.Rat).SetString(r.FloatString(digits))
	f, _ := exact.Float64()
	return floatValue(f)
}

// scaled is a number times 1e9 as a whole number of any size. It starts from the shortest
// decimal text of the float, which is the decimal that was stored; what is no number
// counts as 0.
func scaled(f float64) *big.Int {
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(f, 'f', -1, 64), ".")
	if len(fraction) > decimals {
		whole, fraction, _ = strings.Cut(strconv.FormatFloat(f, 'f', decimals, 64), ".")
	}
	n, ok := new(big.Int).SetString(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10)
	if !ok {
		return new(big.Int)
	}
	return n
}
