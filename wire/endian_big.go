//go:build armbe || arm64be || mips || mips64 || ppc || ppc64 || s390 || s390x || sparc || sparc64

package wire

// Frames are little-endian and read in place, which a big-endian machine
// cannot do: the build stops here.
const _ uint = -1
