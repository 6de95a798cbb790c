//go:build !mutations

package mutant

// Active is the planted bug: none.
const Active = None
