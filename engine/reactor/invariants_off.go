//go:build !invariants

package reactor

// invariants says that it is checked who calls what is for the loop alone.
const invariants = false
