// Package fttest has a file system in memory that does to a ft.Dir whatever a real one may do.
//
//	disk := fttest.NewDisk(seed)
//	disk.CrashAfter(n)             // operation n from now fails as if the machine had died, and so does all after it
//	… use ft.OpenDir with FS: disk …
//	disk.Crash()                   // what was not synced is lost, or not, or half; the disk works again
//
// What survives a crash is drawn from the seed: of a file the bytes as last synced, as last written, or any mixture with a torn
// end; of a directory, for each name that was not synced, what it meant before or after, so that a renaming may be seen under
// both names, one, or none. It can also be full, fail, write less than it was given, flip bits, and be slow. Any goroutine may
// use a Disk, but what happens is a function of the seed only if one does.
package fttest
