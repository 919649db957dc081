;; mark 1: Place in function 1 at 0x53
(module
  (type (;0;) (func))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "env" "host" (func $host (;0;) (type 0)))
  (import "forkpoint" "flush" (func $forkpoint:flush (;1;) (type 1)))
  (table $t (;0;) 2 10 funcref ref.func $a)
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (global $g (;0;) funcref ref.func $b)
  (export "a" (func $a))
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:table.0" (table $t))
  (export "forkpoint:buffer" (memory 1))
  (elem (;0;) declare func $a)
  (elem (;1;) (i32.const 1) func $b)
  (func $a (;2;) (type 0)
    (local i32)
    i32.const 0
    i32.load 1
    local.set 0
    local.get 0
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 0
      call $forkpoint:make-room
      local.set 0
    end
    local.get 0
    i32.const 3
    i32.store 1 offset=16 align=1
    local.get 0
    i32.const 1
    i32.store 1 offset=20 align=1
    i32.const 0
    local.get 0
    i32.const 8
    i32.add
    i32.store 1
    call $host
    call $b
  )
  (func $b (;3;) (type 0)
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
  (func $forkpoint:make-room (;4;) (type 2) (param i32) (result i32)
    i32.const 0
    local.get 0
    i32.store 1
    local.get 0
    call $forkpoint:flush
    i32.const 0
    i32.const 0
    i32.load 1 offset=12
    local.tee 0
    i32.store 1
    local.get 0
  )
)
