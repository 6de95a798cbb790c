package state

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire/slab"
)

// damaged says whether err is an *ImageError inside of the image.
func damaged(err error, image []byte) bool {
	var e *ImageError
	return errors.As(err, &e) && e.Offset >= 0 && e.Offset <= int64(len(image)) && e.Reason != ""
}

// images are small images of every kind and codec.
func images(t testing.TB) [][]byte {
	var all [][]byte
	for i, s := range []Schema{kinds[0], kinds[3], kinds[8]} {
		md := newModel(t, s, 20+uint64(i), 20, 5, 0)
		md.run(150, 5)
		for _, c := range []Codec{Raw, S2, Zstd} {
			base, _ := md.snapshotOf(Base, 1, c, 0)
			md.run(60, 40)
			delta, _ := md.snapshotOf(Delta, 2, c, 0)
			all = append(all, base, delta)
		}
	}
	return all
}

// TestDamagedImages changes every byte, and cuts at every length.
func TestDamagedImages(t *testing.T) {
	for n, image := range images(t) {
		b := bytes.Clone(image)
		for i := range b {
			b[i] ^= 1 << (i % 8)
			if _, err := Verify(b); !damaged(err, b) {
				t.Fatalf("image %d with byte %d changed: %v", n, i, err)
			}
			if _, err := Inspect(b); !damaged(err, b) {
				t.Fatalf("image %d with byte %d changed, inspected: %v", n, i, err)
			}
			b[i] = image[i]
			if _, err := Verify(b[:i]); !damaged(err, b) {
				t.Fatalf("image %d cut at %d: %v", n, i, err)
			}
		}
		if _, err := Verify(append(b, 0)); !damaged(err, b) {
			t.Fatalf("image %d with a byte more: %v", n, err)
		}
	}
}

// forge sets bytes of a frame or header and corrects its checksum.
func forge(image []byte, at, size int, change func(b []byte)) []byte {
	b := bytes.Clone(image)
	change(b[at : at+size])
	binary.LittleEndian.PutUint32(b[at+size-4:], crc32.Checksum(b[at:at+size-4], castagnoli))
	return b
}

// TestForgedImages makes claims that checksums do not give away.
func TestForgedImages(t *testing.T) {
	le := binary.LittleEndian
	md := newModel(t, kinds[0], 30, 300, 1, 0)
	md.run(600, 5)
	base, _ := md.snapshotOf(Base, 1, S2, 0)
	footerAt := len(base) - frameBytes
	bomb := bytes.Repeat([]byte{0xff}, 6)
	for name, image := range map[string][]byte{
		"huge count":      forge(base, headerBytes, frameBytes, func(b []byte) { le.PutUint32(b[8:], 1<<31) }),
		"huge block":      forge(base, headerBytes, frameBytes, func(b []byte) { le.PutUint32(b[16:], 1<<32-1) }),
		"huge payload":    forge(base, headerBytes, frameBytes, func(b []byte) { le.PutUint32(b[20:], 1<<32-1) }),
		"wrong length":    forge(base, headerBytes, frameBytes, func(b []byte) { le.PutUint32(b[16:], le.Uint32(b[16:])+8) }),
		"no entries":      forge(base, headerBytes, frameBytes, func(b []byte) { le.PutUint32(b[8:], 0) }),
		"deletions":       forge(base, headerBytes, frameBytes, func(b []byte) { le.PutUint32(b[12:], 1) }),
		"codec":           forge(base, headerBytes, frameBytes, func(b []byte) { b[4] = 9 }),
		"other codec":     forge(base, headerBytes, frameBytes, func(b []byte) { b[4] = byte(Zstd) }),
		"first hash":      forge(base, headerBytes, frameBytes, func(b []byte) { le.PutUint64(b[24:], hashMax) }),
		"last hash":       forge(base, headerBytes, frameBytes, func(b []byte) { le.PutUint64(b[32:], le.Uint64(b[24:])) }),
		"block sum":       forge(base, headerBytes, frameBytes, func(b []byte) { b[40]++ }),
		"range":           forge(base, 0, headerBytes, func(b []byte) { le.PutUint64(b[48:], 1<<63) }),
		"empty range":     forge(base, 0, headerBytes, func(b []byte) { le.PutUint64(b[48:], 2); le.PutUint64(b[56:], 1) }),
		"value size":      forge(base, 0, headerBytes, func(b []byte) { le.PutUint32(b[12:], 1<<30) }),
		"other values":    forge(base, 0, headerBytes, func(b []byte) { le.PutUint32(b[12:], 8) }),
		"key kind":        forge(base, 0, headerBytes, func(b []byte) { b[9] = 7 }),
		"variable":        forge(base, 0, headerBytes, func(b []byte) { le.PutUint32(b[12:], 0) }),
		"footer count":    forge(base, footerAt, frameBytes, func(b []byte) { b[8]++ }),
		"footer checksum": forge(base, footerAt, frameBytes, func(b []byte) { b[40]++ }),
		"bitmap":          forge(base, footerAt, frameBytes, func(b []byte) { le.PutUint32(b[4:], 1<<31) }),
		"bomb": func() []byte {
			f := frame{codec: S2, records: 1, raw: blockBytesMax, size: uint32(len(bomb)), crc: crc32.Checksum(bomb, castagnoli)}
			b := append(f.append(bytes.Clone(base[:headerBytes])), bomb...)
			return append(b, base[footerAt:]...)
		}(),
	} {
		if _, err := Verify(image); !damaged(err, image) {
			t.Errorf("%s: %v", name, err)
		}
		pool := testPool(t, 8<<20)
		if m, err := Restore(Config{Schema: md.m.schema, Range: partition.Full(), Pool: pool}, image); err == nil {
			m.Close()
			t.Errorf("%s: restored", name)
		}
		if _, err := Fold(&bytes.Buffer{}, Raw, image); !damaged(err, image) {
			t.Errorf("%s: folded: %v", name, err)
		}
	}
}

// swapRecords gives a base, uncompressed, with two records in the wrong order.
func TestDisorderedImage(t *testing.T) {
	md := newModel(t, kinds[0], 31, 300, 1, 0)
	md.run(600, 5)
	base, _ := md.snapshotOf(Base, 1, Raw, 0)
	const record = 24
	at := headerBytes + frameBytes + record
	for name, change := range map[string]func(b []byte){
		"swapped": func(b []byte) {
			a := bytes.Clone(b[at : at+record])
			copy(b[at:], b[at+record:at+2*record])
			copy(b[at+record:], a)
		},
		"twice": func(b []byte) { copy(b[at:at+record], b[at+record:at+2*record]) },
	} {
		b := bytes.Clone(base)
		change(b)
		f := parseFrame(b[headerBytes:])
		payload := b[headerBytes+frameBytes:][:f.size]
		b = forge(b, headerBytes, frameBytes, func(h []byte) {
			binary.LittleEndian.PutUint32(h[56:], crc32.Checksum(payload, castagnoli))
		})
		if _, err := Verify(b); !damaged(err, b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChainsRefused(t *testing.T) {
	md := newModel(t, kinds[0], 32, 300, 1, 0)
	md.run(600, 5)
	base, _ := md.snapshotOf(Base, 1, S2, 0)
	delta2, _ := md.snapshotOf(Delta, 2, S2, 0)
	delta3, _ := md.snapshotOf(Delta, 3, S2, 0)
	other := newModel(t, kinds[1], 32, 300, 1, 0)
	otherBase, _ := other.snapshotOf(Base, 1, S2, 0)
	for name, chain := range map[string][][]byte{
		"delta first":  {delta2},
		"base second":  {base, base},
		"gap":          {base, delta3},
		"reversed":     {base, delta3, delta2},
		"other schema": {otherBase, delta2},
		"empty":        {nil},
		"text":         {[]byte("once upon a time there was an image that was none, and longer than a header of eighty-eight bytes")},
	} {
		if _, err := Fold(&bytes.Buffer{}, S2, chain[0], chain[1:]...); err == nil {
			t.Errorf("%s: folded", name)
		}
		if _, err := Restore(Config{Schema: md.m.schema, Range: partition.Full(), Pool: md.m.mem.pool}, chain[0], chain[1:]...); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
	half := partition.Range{First: 0, Last: 1 << 63}
	piece, err := SplitImage(base, []partition.Range{half})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(Config{Schema: md.m.schema, Range: partition.Full(), Pool: md.m.mem.pool}, piece[0]); err == nil {
		t.Error("restored a whole from half an image")
	}
	if _, err := SplitImage(piece[0], []partition.Range{partition.Full()}); err == nil {
		t.Error("split a half to a whole")
	}
}

// TestImageBytes pins the format.
func TestImageBytes(t *testing.T) {
	schema, err := SchemaOf[val16]("golden", Uint64, None)
	if err != nil {
		t.Fatal(err)
	}
	pool := testPool(t, 0)
	m, err := New(Config{Schema: schema, Range: partition.Full(), Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := NewFixed[val16](m)
	for _, h := range []uint64{1 << 63, 0, hashMax, 5} {
		v, _ := f.Upsert(h)
		*v = val16{A: h + 1, B: 2, C: 3}
	}
	m.schema.Layout = 0x1234 // whatever wire makes of val16
	image := imageOf(t, m, 77, Raw)
	if len(image) != headerBytes+frameBytes+4*24+frameBytes {
		t.Fatalf("%d bytes", len(image))
	}
	const record0 = "0000000000000000" + "0100000000000000" + "02000000" + "03000000"
	if got := hex.EncodeToString(image[headerBytes+frameBytes:][:24]); got != record0 {
		t.Errorf("the first record is %s, want %s", got, record0)
	}
	if got := xxh3.Hash(image); got != goldenImage {
		t.Errorf("the image's hash is %#x, want %#x", got, uint64(goldenImage))
	}
}

// goldenImage is the hash of TestImageBytes' image. (A CRC-32C would not do: of
// bytes that end with their own it is a constant.)
const goldenImage = 0x93b4f8c790bd455d

// FuzzImage feeds decoders with damaged images: they must not panic, hang, or
// take more memory than the pool has.
func FuzzImage(f *testing.F) {
	for _, image := range images(f) {
		f.Add(image, uint16(0), byte(0), false)
		f.Add(image, uint16(headerBytes+8), byte(255), true)
	}
	schemas := map[uint64]Schema{}
	for _, s := range kinds {
		if s.ValueSize > 0 {
			s, _ = SchemaOf[val16](s.Name, s.Key, s.Sub)
		}
		schemas[s.Fingerprint()] = s
	}
	f.Fuzz(func(t *testing.T, image []byte, at uint16, with byte, mend bool) {
		image = bytes.Clone(image)
		if int(at) < len(image) {
			image[at] ^= with
		}
		if mend {
			mendChecksums(image)
		}
		info, err := Verify(image)
		if err != nil {
			if !damaged(err, image) {
				t.Fatalf("not an ImageError: %v", err)
			}
			return
		}
		pool := slab.New(slab.Config{Budget: 64 << 20})
		defer pool.Close()
		if s, ok := schemas[info.Fingerprint]; ok && info.Kind == Base && info.Schema.Key == s.Key {
			m, err := Restore(Config{Schema: s, Range: info.Range, Pool: pool}, image)
			if err != nil {
				return
			}
			if m.Checksum(info.Range) != info.Checksum {
				t.Fatal("the restored map has another checksum than the image")
			}
			m.Close()
		}
		if _, err := SplitImage(image, []partition.Range{info.Range}); err != nil {
			t.Fatalf("splitting a sound image: %v", err)
		}
	})
}

// mendChecksums makes the frames' and the header's checksums right, so that
// fuzzing gets beyond them.
func mendChecksums(image []byte) {
	le := binary.LittleEndian
	if len(image) < headerBytes {
		return
	}
	le.PutUint32(image[84:], crc32.Checksum(image[:84], castagnoli))
	for at := headerBytes; at+frameBytes <= len(image); {
		b := image[at:]
		f := parseFrame(b)
		rest := b[frameBytes:]
		if le.Uint32(b) == blockMagic && uint64(f.size) <= uint64(len(rest)) {
			le.PutUint32(b[56:], crc32.Checksum(rest[:f.size], castagnoli))
			at += int(f.size)
		} else {
			le.PutUint32(b[56:], crc32.Checksum(rest, castagnoli))
		}
		le.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
		at += frameBytes
	}
}
