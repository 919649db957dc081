;; WAYS: inline+at-calls
;; The first segment looks whether the buffer has room, and makes sure of more than it needs: those on all paths from it do not
;; look again. One in a loop does, since its turns use room up, and so does one after a call.
(module
  (memory 1)
  (func $other)
  (func (export "f") (param $a i32)
    (i32.store (local.get $a) (i32.const 1))
    (if (local.get $a)
      (then (i32.store8 (local.get $a) (i32.const 2)))
      (else (i32.store8 (local.get $a) (i32.const 3))))
    (block $out
      (br_if $out (local.get $a))
      (loop $again
        (i32.store8 (local.get $a) (i32.const 4))
        (br_if $again (local.get $a))
        (br $out)))
    (i32.store8 (local.get $a) (i32.const 5))
    (call $other)
    (i32.store8 (local.get $a) (i32.const 6))))
