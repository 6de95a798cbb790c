//go:build amd64 || arm64

package state

// prefetch asks for the cache line of slot, the one behind it, and that of mark, without waiting for them. A load would do
// as well for one line; but a load holds its place in the core's reorder buffer until it is served, so that a few of them
// stop the core, while of these as many are under way as the core has line fill buffers.
//
//go:noescape
func prefetch(slot, mark pointer)
