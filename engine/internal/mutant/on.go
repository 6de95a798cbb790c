//go:build mutations

package mutant

// Active is the planted bug. It is changed only while no engine runs.
var Active = None
