// Package ft holds what survives failures: checkpoints, their backups, and who decides when to take them.
package ft
