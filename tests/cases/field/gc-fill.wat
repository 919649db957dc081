;; After wasmtime #10467: array.fill of a GC array does nothing; its elements are written to memory.
;; RUN: compare % --invoke 'run 6' --features +function-references,+gc --rhs capi:jit,lib={libwasmtime-31.0.0.so}
;; EXIT: 1
;; JSON: /verdict "value"
;; JSON: /site/name "flush"
;; JSON: /site/instruction "i32.store8"
;; RUN: compare % --invoke 'run 6' --features +function-references,+gc --rhs capi:jit,lib={libwasmtime-48.0.0.so}
;; JSON: /agree true
(module
  (type $bytes (array (mut i8)))
  (memory (export "memory") 1)
  (func $flush (param $a (ref $bytes)) (param $to i32)
    (local $i i32)
    (loop $next
      (i32.store8 (i32.add (local.get $to) (local.get $i)) (array.get_u $bytes (local.get $a) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (array.len (local.get $a))))))
  (func (export "run") (param $n i32) (result i32)
    (local $a (ref $bytes))
    (local.set $a (array.new $bytes (i32.const 0x2e) (local.get $n)))
    (array.set $bytes (local.get $a) (i32.const 0) (i32.const 0x5b))
    (array.fill $bytes (local.get $a) (i32.const 1) (i32.const 0x3d) (i32.const 3))
    (call $flush (local.get $a) (i32.const 32))
    (i32.load (i32.const 32))))
