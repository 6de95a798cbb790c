package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fullspate/spate/ft"
)

// MismatchError says why a job cannot start from a savepoint: all that its graph and the savepoint's do not agree on.
type MismatchError struct {
	Have, Want  string // names of the graphs: the savepoint's, the job's
	Differences []error
}

// Error implements error.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("it is of graph %q, which does not fit graph %q: %v", e.Have, e.Want, errors.Join(e.Differences...))
}

// Unwrap returns the differences.
func (e *MismatchError) Unwrap() []error { return e.Differences }

// compareJobs says on what a savepoint and a job do not agree. The order of operators does not matter to the state of any.
func compareJobs(have, want *ft.JobInfo) error {
	if have.Fingerprint == want.Fingerprint {
		return nil
	}
	e := &MismatchError{Have: have.Graph, Want: want.Graph}
	fail := func(format string, args ...any) { e.Differences = append(e.Differences, fmt.Errorf(format, args...)) }
	for _, o := range have.Operators {
		if now, ok := want.Operator(o.ID); ok {
			compareOperators(&o, &now, fail)
		} else {
			fail("operator %q of the savepoint is not in the job (it has %q)", o.ID, ids(want))
		}
	}
	for _, o := range want.Operators {
		if _, ok := have.Operator(o.ID); !ok {
			fail("operator %q of the job is not in the savepoint (it has %q)", o.ID, ids(have))
		}
	}
	if len(e.Differences) == 0 {
		fail("operators are declared in another order, or connected in another way")
	}
	return e
}

func ids(j *ft.JobInfo) (list []string) {
	for _, o := range j.Operators {
		list = append(list, o.ID)
	}
	return list
}

func compareOperators(have, want *ft.OperatorInfo, fail func(format string, args ...any)) {
	if have.Kind != want.Kind || have.Key != want.Key {
		fail("operator %q is a %s with key %s in the savepoint, a %s with key %s in the job", have.ID, have.Kind, have.Key, want.Kind, want.Key)
	}
	if !slices.Equal(have.Inputs, want.Inputs) {
		fail("operator %q consumes %q in the savepoint, %q in the job", have.ID, have.Inputs, want.Inputs)
	}
	if !slices.Equal(have.Outputs, want.Outputs) {
		fail("outputs of operator %q are %+v in the savepoint, %+v in the job", have.ID, have.Outputs, want.Outputs)
	}
	for i := range max(len(have.Tables), len(want.Tables)) {
		switch {
		case i >= len(have.Tables):
			fail("table %q of operator %q is not in the savepoint", want.Tables[i].Name, want.ID)
		case i >= len(want.Tables):
			fail("table %q of operator %q of the savepoint is not in the job", have.Tables[i].Name, have.ID)
		default:
			compareTables(have.ID, &have.Tables[i], &want.Tables[i], fail)
		}
	}
}

func compareTables(operator string, have, want *ft.SchemaInfo, fail func(format string, args ...any)) {
	switch {
	case have.Fingerprint == want.Fingerprint:
	case have.Name != want.Name:
		fail("operator %q has the table %q in the savepoint where it has %q in the job", operator, have.Name, want.Name)
	case have.Key != want.Key || have.Sub != want.Sub:
		fail("table %q of operator %q has keys %s and sub-keys %s in the savepoint, keys %s and sub-keys %s in the job",
			have.Name, operator, have.Key, have.Sub, want.Key, want.Sub)
	default:
		fail("table %q of operator %q has values %s in the savepoint, values %s in the job", have.Name, operator, valueOf(have), valueOf(want))
	}
}

// valueOf describes the values of a table.
func valueOf(s *ft.SchemaInfo) string {
	if s.ValueSize == 0 {
		return "of variable size"
	}
	return s.Fields
}
