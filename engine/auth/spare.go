package auth

import "os"

// spare is a file descriptor that is kept for the moment when there is no other: at the limit, connections would otherwise
// stay in the kernel's queue, where nobody tells them anything. It is used by one goroutine.
type spare struct{ file *os.File }

// refill makes sure that there is one, and reports whether there is.
func (s *spare) refill() bool {
	if s.file == nil {
		s.file, _ = os.Open(os.DevNull) // that it fails is the very case
	}
	return s.file != nil
}

// spend gives it back to the system, for accept to take, and reports whether there was one.
func (s *spare) spend() bool {
	had := s.file != nil
	s.close()
	return had
}

func (s *spare) close() {
	if s.file != nil {
		_ = s.file.Close() // nothing was written
		s.file = nil
	}
}
