package reactor

import (
	"fmt"
	"log/slog"
)

// gnetLog is what gnet logs to. What it calls a warning is that a connection was closed whose event was still to be handled.
type gnetLog struct{ log *slog.Logger }

func (l gnetLog) Debugf(format string, args ...any) {
	l.log.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (l gnetLog) Infof(format string, args ...any) { l.Debugf(format, args...) }
func (l gnetLog) Warnf(format string, args ...any) { l.Debugf(format, args...) }
func (l gnetLog) Errorf(format string, args ...any) {
	l.log.Error("gnet: " + fmt.Sprintf(format, args...))
}

// Fatalf is not called by gnet's client; if it were, ending the process would not be for it to do.
func (l gnetLog) Fatalf(format string, args ...any) { l.Errorf(format, args...) }
