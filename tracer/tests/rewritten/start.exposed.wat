(module
  (type (;0;) (func))
  (table (;0;) 1 funcref)
  (memory (;0;) 1)
  (global $i (;0;) (mut i32) i32.const 0)
  (global $constant (;1;) i32 i32.const 0)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:table.0" (table 0))
  (export "forkpoint:global.0" (global $i))
  (export "forkpoint:start" (func $main))
  (func $main (;0;) (type 0)
    i32.const 0
    i32.const 1
    i32.store
  )
)
