package httpapi

import (
	"mime"
	"strconv"
	"strings"
)

// The two media types of a GraphQL response. Under graphqlJSON the HTTP status
// tells what happened to the operation; under plainJSON any well-formed request
// gets 200, as clients of that older convention expect.
const (
	graphqlJSON = "application/graphql-response+json"
	plainJSON   = "application/json"
)

// negotiate chooses the media type of the response from the Accept headers; ok
// is false when the client accepts neither. A client that names graphqlJSON as
// high as plainJSON gets it; one that names no type, or only wildcards, gets
// plainJSON, which every client reads.
func negotiate(accept []string) (mediaType string, ok bool) {
	header := joined(accept)
	if header == "" {
		return plainJSON, true
	}
	graphqlQ, graphqlExact := quality(header, graphqlJSON)
	plainQ, _ := quality(header, plainJSON)
	switch {
	case graphqlQ > plainQ, graphqlExact && graphqlQ > 0 && graphqlQ == plainQ:
		return graphqlJSON, true
	case plainQ > 0:
		return plainJSON, true
	}
	return "", false
}

// joined makes one header of several.
func joined(accept []string) string { return strings.TrimSpace(strings.Join(accept, ",")) }

// quality is the weight that an Accept header gives a type: that of the most
// specific range that matches (RFC 9110, 12.5.1). Ranges that are malformed or
// ask for another charset than UTF-8 don't match.
func quality(header, mediaType string) (q float64, exact bool) {
	specificity := 0
	for part := range strings.SplitSeq(header, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		var s int
		switch name {
		case mediaType:
			s = 3
		case "application/*":
			s = 2
		case "*/*":
			s = 1
		}
		if charset, given := params["charset"]; given && !isUTF8Name(charset) {
			continue
		}
		weight := 1.0
		if text, given := params["q"]; given {
			weight, err = strconv.ParseFloat(text, 64)
			if err != nil || !(weight >= 0 && weight <= 1) {
				continue
			}
		}
		if s > specificity || s == specificity && s > 0 && weight > q {
			specificity, q = s, weight
		}
	}
	return q, specificity == 3
}

func isUTF8Name(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
