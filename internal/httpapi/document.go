package httpapi

import (
	"cmp"
	"context"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// document is a parsed and valid GraphQL document with what its operations look
// like. It is shared by all requests of the same text and never written again.
type document struct {
	query  *ast.QueryDocument
	shapes map[*ast.OperationDefinition]shape
}

// suggestTokens is the size up to which a typo is worth a suggestion: each
// compares the name with all that there are.
const suggestTokens = 1000

// documents parses and validates, and keeps what was valid.
type documents struct {
	schema *ast.Schema
	limits Limits
	// suggest lets validation say "did you mean": not where introspection is off,
	// as it would spell out the schema name by name.
	suggest bool
	cache   *documentCache
}

func newDocuments(schema *ast.Schema, limits Limits, suggest bool) *documents {
	return &documents{schema: schema, limits: limits, suggest: suggest, cache: newDocumentCache(limits.CacheBytes)}
}

// get returns the document of a text. What is cheap to check is checked before
// what is dear: tokens, then the parse, then the shape, then validity.
//
// check sees a document that was parsed but not validated: what it refuses has an answer
// of its own, whether the schema knows the operation or not.
func (d *documents) get(text string, check func(ast.OperationList) *gqlerror.Error) (*document, gqlerror.List) {
	if doc, ok := d.cache.get(text); ok {
		if err := check(doc.query.Operations); err != nil {
			return nil, gqlerror.List{err}
		}
		return doc, nil
	}
	source := &ast.Source{Input: text}
	tokens, tooMany := d.countTokens(source)
	if tooMany != nil {
		return nil, gqlerror.List{tooMany}
	}
	query, err := parser.ParseQuery(source)
	if err != nil {
		return nil, gqlerror.List{gqlerror.WrapIfUnwrapped(err)}
	}
	if len(query.Operations) == 0 {
		return nil, gqlerror.List{gqlerror.Errorf("the document has no operation")}
	}
	if err := check(query.Operations); err != nil {
		return nil, gqlerror.List{err}
	}
	shapes := shapesOf(query)
	for _, op := range query.Operations {
		if err := d.limits.checkShape(op, shapes[op]); err != nil {
			return nil, gqlerror.List{err}
		}
	}
	if errs := validator.ValidateWithRules(d.schema, query, d.rules(d.suggest && tokens <= suggestTokens)); len(errs) > 0 {
		return nil, errs
	}
	if err := cmp.Or(checkLiterals(query), checkDocumentUnicode(text), checkIdempotent(query)); err != nil {
		return nil, gqlerror.List{err}
	}
	doc := &document{query: query, shapes: shapes}
	d.cache.add(text, doc)
	return doc, nil
}

// countTokens counts before the parser builds anything. A text that the lexer
// refuses is left to the parser, which says why.
func (d *documents) countTokens(source *ast.Source) (int, *gqlerror.Error) {
	lex := lexer.New(source)
	for n := 0; ; n++ {
		token, err := lex.ReadToken()
		if err != nil || token.Kind == lexer.EOF {
			return n, nil //nolint:nilerr // the parser tells it
		}
		if n >= d.limits.DocumentTokens {
			return n, asGraphQL(limitError("documentTokens", d.limits.DocumentTokens, 0,
				"the document has more than %d tokens; split it into several requests", d.limits.DocumentTokens))
		}
	}
}

func (d *documents) rules(suggest bool) *rules.Rules {
	all := rules.NewDefaultRules()
	if suggest {
		return all
	}
	for with, without := range map[string]validator.Rule{
		rules.FieldsOnCorrectTypeRule.Name: rules.FieldsOnCorrectTypeRuleWithoutSuggestions,
		rules.KnownArgumentNamesRule.Name:  rules.KnownArgumentNamesRuleWithoutSuggestions,
		rules.KnownTypeNamesRule.Name:      rules.KnownTypeNamesRuleWithoutSuggestions,
		rules.ScalarLeafsRule.Name:         rules.ScalarLeafsRuleWithoutSuggestions,
		rules.ValuesOfCorrectTypeRule.Name: rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
	} {
		all.RemoveRule(with)
		all.AddRule(without.Name, without.RuleFunc)
	}
	return all
}

// preparedKey carries the document of a request past gqlgen's own parser: the
// executor asks its query cache first, and that cache is the context.
type preparedKey struct{}

type preparedCache struct{}

func (preparedCache) Get(ctx context.Context, _ string) (*ast.QueryDocument, bool) {
	doc, ok := ctx.Value(preparedKey{}).(*document)
	if !ok {
		return nil, false
	}
	return doc.query, true
}

func (preparedCache) Add(context.Context, string, *ast.QueryDocument) {}
