package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// openAPI reads and checks docs/openapi.yaml, once.
var openAPI = sync.OnceValues(func() (*openapi3.T, error) {
	l := openapi3.NewLoader()
	doc, err := l.LoadFromFile(filepath.Join("..", "..", "..", "docs", "openapi.yaml"))
	if err == nil {
		err = doc.Validate(l.Context)
	}
	return doc, err
})

func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Every route is in the document, with the same need for the secret, and the document has no other.
func TestRoutesAreInTheDocument(t *testing.T) {
	var documented, served []string
	for path, item := range document(t).Paths.Map() {
		for method, op := range item.Operations() {
			documented = append(documented, method+" "+path+needs(op))
		}
	}
	for _, rt := range newAPI(Config{Coordinator: &stub{}}).routes {
		served = append(served, rt.pattern+[...]string{anyone: "", holders: " with the secret", nearby: " with the secret or near"}[rt.access])
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented\n%s\nserved\n%s", strings.Join(documented, "\n"), strings.Join(served, "\n"))
	}
}

func needs(op *openapi3.Operation) string {
	switch {
	case op.Security == nil:
		return ""
	case len(*op.Security) == 1:
		return " with the secret"
	}
	return " with the secret or near"
}

// conforms checks a response against the document.
func conforms(t *testing.T, pattern string, res *httptest.ResponseRecorder) {
	t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	item := document(t).Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		t.Errorf("%s is not documented", pattern)
		return
	}
	responses := item.GetOperation(method).Responses
	response := responses.Status(res.Code)
	if response == nil && res.Code >= http.StatusBadRequest {
		response = responses.Default()
	}
	if response == nil {
		t.Errorf("%s: status %d is not documented", pattern, res.Code)
		return
	}
	kind, _, _ := strings.Cut(res.Header().Get("Content-Type"), ";")
	media := response.Value.Content.Get(kind)
	if media == nil {
		t.Errorf("%s: content of type %q is not documented", pattern, kind)
		return
	}
	if kind != "application/json" {
		return
	}
	var body any
	if err := json.Unmarshal(res.Body.Bytes(), &body); err != nil {
		t.Errorf("%s: %v", pattern, err)
		return
	}
	if err := media.Schema.Value.VisitJSON(body); err != nil {
		t.Errorf("%s: %v\n%s", pattern, err, res.Body)
	}
}

// The check is one that can fail.
func TestWrongResponsesAreFound(t *testing.T) {
	schema := document(t).Components.Schemas["Event"].Value
	good := map[string]any{"seq": 1.0, "at": "2026-01-01T00:00:00Z", "kind": "job_started"}
	if err := schema.VisitJSON(good); err != nil {
		t.Errorf("a good event: %v", err)
	}
	for name, v := range map[string]any{"mood": "good", "seq": "1", "kind": "job_began", "at": nil} {
		bad := map[string]any{}
		for k, v := range good {
			bad[k] = v
		}
		bad[name] = v
		if schema.VisitJSON(bad) == nil {
			t.Errorf("%s = %v goes unnoticed", name, v)
		}
	}
}

// Kinds of event, states and causes in the document are those of the program.
func TestEnumsAreComplete(t *testing.T) {
	schemas := document(t).Components.Schemas
	worker := schemas["Worker"].Value.Properties["state"].Value
	tests := []struct {
		name   string
		schema *openapi3.Schema
		values []string
	}{
		{"event", schemas["Event"].Value.Properties["kind"].Value, constants(t, "EventKind")},
		{"job", schemas["JobState"].Value, constants(t, "State")},
		{"worker", worker, constants(t, "WorkerState")},
		{"reassignment", schemas["Reassignment"].Value.Properties["state"].Value, constants(t, "ReassignState")},
		{"kind of reassignment", schemas["Reassignment"].Value.Properties["kind"].Value, constants(t, "ReassignKind")},
		{"cause", schemas["Loss"].Value.Properties["cause"].Value, constants(t, "Cause")},
	}
	for _, tt := range tests {
		var documented []string
		for _, v := range tt.schema.Enum {
			documented = append(documented, v.(string))
		}
		slices.Sort(documented)
		if len(tt.values) == 0 || !slices.Equal(documented, tt.values) {
			t.Errorf("%s: documented\n%v\nthe program has\n%v", tt.name, documented, tt.values)
		}
	}
}
