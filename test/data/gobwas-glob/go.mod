module gobwas-glob

go 1.22

// As Velero 1.18.3 has it.
require github.com/gobwas/glob v0.2.3
