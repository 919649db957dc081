;; WAYS: inline hooks inline+bytes=0..64
;; The buffer comes after the module's own memories, imported ones included, and each memory gets an export. Which memory a
;; store writes is in the table of sites. Only memory 0 is recorded where only some of its bytes are.

(module
  (import "env" "shared" (memory $imported 1))
  (memory $own (export "memory") 1)
  (func (param $p i32)
    (i32.store $imported (local.get $p) (i32.const 1))
    (i32.store $own (local.get $p) (i32.const 2))))
