package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

// mapPart is the name of the part that says where the files go, and what errors call it.
const mapPart = "map"

// destinations are the places of the variables that each part of a form fills.
type destinations map[string][]func(graphql.Upload)

// parseMap reads the map of a multipart request: an object of lists of paths by the name
// of the part that goes there. Each path leads to a null in the variables, which is taken
// by this call, so that no second path leads there. most bounds the paths, as each is a
// file for the resolver. The error is a *requestError with status 400.
func parseMap(text []byte, variables map[string]any, most int) (destinations, error) {
	raw, err := parseObject(text, "the part "+mapPart)
	if err != nil {
		return nil, err
	}
	out, count := make(destinations, min(len(raw), most)), 0
	for _, name := range slices.Sorted(maps.Keys(raw)) { // sorted: the same error each time
		var paths []string
		if err := into(raw[name], &paths, mapPart, "an object of lists of paths"); err != nil {
			return nil, err
		}
		switch {
		case name == "", name == operationsPart, name == mapPart:
			return nil, badRequest("the map names the part %q, which can't be a file", name)
		case len(paths) == 0:
			return nil, badRequest("the map has no path for the part %.40q", name)
		}
		if count += len(paths); count > most {
			return nil, &requestError{status: http.StatusBadRequest, err: limitError("uploadFiles", most, 0,
				"the map has more than %d paths, the limit; send fewer files in one request", most)}
		}
		for _, path := range paths {
			put, err := place(variables, path)
			if err != nil {
				return nil, err
			}
			put(graphql.Upload{})
			out[name] = append(out[name], put)
		}
	}
	return out, nil
}

// place finds what a path such as variables.input.files.0 leads to.
func place(variables map[string]any, path string) (put func(graphql.Upload), err error) {
	root, rest, _ := strings.Cut(path, ".")
	if root != "variables" || rest == "" {
		return nil, badPath(path, `does not begin with "variables."`)
	}
	var value any = variables
	for step := range strings.SplitSeq(rest, ".") {
		switch within := value.(type) {
		case map[string]any:
			inner, ok := within[step]
			if !ok {
				return nil, badPath(path, "is not in the variables")
			}
			value, put = inner, func(u graphql.Upload) { within[step] = u }
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(within) || strconv.Itoa(i) != step {
				return nil, badPath(path, "is not in the variables")
			}
			value, put = within[i], func(u graphql.Upload) { within[i] = u }
		default:
			return nil, badPath(path, "is not in the variables")
		}
	}
	if value != nil {
		return nil, badPath(path, "has a value already: a file's place is a null, and one path leads there")
	}
	return put, nil
}

func badPath(path, why string) error {
	err := badRequest("the map is wrong: the path %.100q %s", path, why)
	if field, ok := strings.CutPrefix(path, "variables."); ok {
		err.err = err.err.About("", "", shortened(field))
	}
	return err
}

// maxShown bounds what an error repeats of a name that the caller chose, in bytes.
const maxShown = 100

func shortened(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxShown)], "") }
