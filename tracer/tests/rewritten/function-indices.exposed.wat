(module
  (type (;0;) (func))
  (import "env" "host" (func $host (;0;) (type 0)))
  (table $t (;0;) 2 10 funcref ref.func $a)
  (memory (;0;) 1)
  (global $g (;0;) funcref ref.func $b)
  (export "a" (func $a))
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:table.0" (table $t))
  (elem (;0;) declare func $a)
  (elem (;1;) (i32.const 1) func $b)
  (func $a (;1;) (type 0)
    call $host
    call $b
  )
  (func $b (;2;) (type 0)
    i32.const 0
    ref.func $a
    table.set $t
    ref.null func
    i32.const 1
    table.grow $t
    drop
    i32.const 0
    call_indirect (type 0)
    return_call $a
  )
)
