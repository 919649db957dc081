;; Wasmtime 43.0.0 with Winch keeps the -1 of a failed table.grow with sign bits above its 32: taken for an address,
;; it wraps around the bounds check. The store must trap at 0x100000000 and goes to address 0.
(module
  (memory (export "memory") 1)
  (table $small 1 2 funcref)

  (func $refused (result i32)
    (table.grow $small (table.get $small (i32.const 0)) (i32.const 1000)))

  (func (export "run")
    (i32.store (i32.const 32) (i32.const 1))
    (i32.store offset=1
      (table.grow $small (table.get $small (i32.const 0)) (i32.const 1000))
      (i32.const 0x55667788))
    (i32.store (i32.const 36) (i32.const 2)))

  (func (export "called")
    (i32.store (i32.const 32) (i32.const 1))
    (i32.store offset=1 (call $refused) (i32.const 0x55667788))
    (i32.store (i32.const 36) (i32.const 2)))

  ;; Right everywhere: the sum has 32 bits.
  (func (export "added")
    (i32.store (i32.const 32) (i32.const 1))
    (i32.store offset=1 (i32.add (call $refused) (i32.const 0)) (i32.const 0x55667788))
    (i32.store (i32.const 36) (i32.const 2))))
