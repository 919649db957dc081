(module
  (type (;0;) (func (result i32)))
  (global (;0;) (mut i64) i64.const 0)
  (export "f" (func 0))
  (export "forkpoint:global.0" (global 0))
  (func (;0;) (type 0) (result i32)
    i32.const 1
  )
)
