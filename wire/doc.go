// Package wire is what tuples look like: logical time, the bytes of tuples and
// frames, and the rules by which bytes from outside are believed.
//
// # Frame
//
// A frame is a header of 64 bytes and its payload, in all places the same: in
// the ring that keeps it, on a socket, in a backup. Everything is little-endian
// and 8-byte aligned, so that it is read where it lies.
//
//	offset  bytes  field
//	     0      2  magic 0x5370 ("pS")
//	     2      1  version 1
//	     3      1  kind: 1 data, 2 frontier, 3 end
//	     4      2  flags, 0
//	     6      2  stream
//	     8      4  count of tuples
//	    12      4  payload bytes after the header, a multiple of 8
//	    16      8  time of the first tuple
//	    24      8  time of the last tuple
//	    32      8  frontier: nothing below it comes after this frame
//	    40      4  payload bytes of each tuple; 0 where they vary
//	    44      4  CRC-32C of the whole frame, this field taken as 0
//	    48     16  reserved, 0
//	    64         tuples
//
// A data frame has tuples. A frontier frame has a frontier only: count, bytes
// and both times are 0. An end frame is the last of its channel: both times are
// the one at which the channel ends, and its payload is not tuples.
//
// # Tuple
//
//	fixed stream             variable stream
//	 0  time        8         0  time              8
//	 8  key hash    8         8  key hash          8
//	16  payload     n×8      16  payload length    4
//	                         20  zero              4
//	                         24  payload, and zeros up to a multiple of 8
//
// # Time
//
// See Time: milliseconds, split and sequence in one word. It is unique to a
// tuple of a source; what an operator emits carries the time of what it was
// processing.
//
// # Handshake
//
// Before anything else is said over a connection, both ends prove that they may:
// handshake.go has the bytes of that (Hello, AppendProof, Refusal), engine/auth
// what they mean.
//
// # Invariants
//
// Of every sealed frame, and of every frame that Verify lets pass:
//
//   - len(frame) == FrameHeader + Bytes, Bytes%8 == 0, Bytes <= BytesMax
//   - Count >= 1 and First <= … <= Last < TimeMax in a data frame, the times of
//     its tuples, in their order
//   - Bytes == Count×(TupleHeader+PayloadSize) in a fixed stream; in a variable
//     one every payload ends within the frame and the tuples fill it exactly
//   - every byte that has no meaning is 0, so that equal contents are equal bytes
//
// The frontier is not held against the times: a step may be cut into several
// frames, all with the frontier of its time.
//
// # Use
//
// There is no state here but the checksum's table: any goroutine may call
// anything. Functions borrow what they are given; views and decoded byte
// strings borrow the frame, and whoever recycles its memory sees to it that they
// are gone. The package does not allocate frames, batch tuples, or know of
// connections. It needs a little-endian machine and does not build for others.
package wire
