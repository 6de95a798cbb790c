// Package layout keeps the shape of the repository: what may stand at its top, and which folder may import which. It holds
// nothing but tests, which read the tree with go list and the Go parser.
//
//	wire         imports nothing of the project
//	partition    nothing
//	buffers      wire, partition
//	state        wire, partition
//	ft           the above
//	engine       the above
//	bench        the above
//	cmd          the above
//
// A folder may import its own subfolders. Tests obey the same order as the code beside them. Every package that is not a
// command has a doc.go, and only files named *_unsafe.go import unsafe.
package layout
