;; Sieve of Eratosthenes over 1 MiB, one i32.store8 per crossing-out: nothing but stores, the recorder's worst
;; case. `run n` sieves n times; 50 rounds make some 124 million stores.
(module
  (memory (export "memory") 17)
  (func (export "run") (param $rounds i32) (result i32)
    (local $i i32) (local $j i32) (local $count i32)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 0) (i32.const 1048576))
      (local.set $i (i32.const 2))
      (local.set $count (i32.const 0))
      (loop $outer
        (if (i32.eqz (i32.load8_u (local.get $i)))
          (then
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (local.set $j (i32.shl (local.get $i) (i32.const 1)))
            (block $done
              (loop $inner
                (br_if $done (i32.ge_u (local.get $j) (i32.const 1048576)))
                (i32.store8 (local.get $j) (i32.const 1))
                (local.set $j (i32.add (local.get $j) (local.get $i)))
                (br $inner)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $outer (i32.lt_u (local.get $i) (i32.const 1048576))))
      (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
      (br_if $again (i32.gt_s (local.get $rounds) (i32.const 0))))
    (local.get $count)))
