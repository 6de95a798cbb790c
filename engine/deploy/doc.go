// Package deploy turns a plan into connected tasks within one process: it makes tasks, logs, routing tables and channels.
//
//	unit U, task i ── edge (output → port) ── routing table ──▶ log i→0 ──▶ channel of task 0 of the consumer
//	                                                        └─▶ log i→1 ──▶ channel of task 1
//
// The plan says who owns which key range; which task reads which splits is decided here and nowhere else. The embedded run
// reads each log through its cursor; the simulator puts a link of its own between the two.
package deploy
