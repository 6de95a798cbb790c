package vault

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/fullspate/spate/ft"
)

// query is what a request says besides the job, in the URL: operator, first and last (hexadecimal) name the task; generation
// and follows the checkpoint.
type query struct {
	task       ft.TaskID
	generation uint64 // 0: none is named
	follows    uint64
}

// String returns the query as it stands in a URL.
func (q query) String() string {
	v := url.Values{
		"operator": {q.task.Operator},
		"first":    {fmt.Sprintf("%016x", q.task.Range.First)},
		"last":     {fmt.Sprintf("%016x", q.task.Range.Last)},
	}
	if q.generation != 0 {
		v.Set("generation", strconv.FormatUint(q.generation, 10))
	}
	if q.follows != 0 {
		v.Set("follows", strconv.FormatUint(q.follows, 10))
	}
	return v.Encode()
}

// parseQuery reads what String returns. Each parameter may stand there once, and no other.
func parseQuery(raw string) (q query, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return query{}, badRequest("query %q: %v", raw, err)
	}
	seen := make(map[string]bool)
	for name, all := range values {
		if len(all) != 1 {
			return query{}, badRequest("%d times %s, want it once", len(all), name)
		}
		seen[name] = true
		if err := q.set(name, all[0]); err != nil {
			return query{}, err
		}
	}
	for _, name := range []string{"operator", "first", "last"} {
		if !seen[name] {
			return query{}, badRequest("no %s: want operator, first and last of a task", name)
		}
	}
	if !q.task.Range.Valid() {
		return query{}, badRequest("range %v is not valid", q.task.Range)
	}
	return q, nil
}

// set takes one parameter.
func (q *query) set(name, value string) (err error) {
	switch name {
	case "operator":
		q.task.Operator = value
	case "first":
		q.task.Range.First, err = strconv.ParseUint(value, 16, 64)
	case "last":
		q.task.Range.Last, err = strconv.ParseUint(value, 16, 64)
	case "generation":
		q.generation, err = strconv.ParseUint(value, 10, 64)
	case "follows":
		q.follows, err = strconv.ParseUint(value, 10, 64)
	default:
		return badRequest("unknown parameter %q", name)
	}
	if err != nil {
		return badRequest("%s: %v", name, err)
	}
	return nil
}
