;; site 8 (0x8): memory.copy of function 0 at 0x2e
;; site 9 (0x9): memory.copy of function 1 at 0x3b
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
(module
  (type (;0;) (func (param i32 i32 i32)))
  (type (;1;) (func (param i64 i32 i32)))
  (type (;2;) (func (param i32)))
  (type (;3;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 2)))
  (memory $a (;0;) 1)
  (memory $b (;1;) i64 1)
  (memory (;2;) 17 17)
  (export "forkpoint:memory.0" (memory $a))
  (export "forkpoint:memory.1" (memory $b))
  (export "forkpoint:buffer" (memory 2))
  (func (;1;) (type 0) (param $p i32) (param $q i32) (param $n i32)
    (local i32 i32 i32 i32)
    local.get $p
    local.get $q
    local.get $n
    i32.const 0
    i32.load 2
    local.set 3
    local.get 3
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 3
      call 3
      local.set 3
    end
    local.get 3
    i32.const 16
    i32.store 2 offset=16 align=1
    local.set 6
    local.set 5
    local.tee 4
    local.get 5
    local.get 6
    memory.copy
    local.get 3
    local.get 4
    i32.store 2 offset=20 align=1
    local.get 3
    local.get 5
    i32.store 2 offset=24 align=1
    local.get 3
    local.get 6
    i32.store 2 offset=28 align=1
    i32.const 0
    local.get 3
    i32.const 16
    i32.add
    i32.store 2
  )
  (func (;2;) (type 1) (param $p i64) (param $q i32) (param $n i32)
    (local i32 i64 i32 i32)
    local.get $p
    local.get $q
    local.get $n
    i32.const 0
    i32.load 2
    local.set 3
    local.get 3
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 3
      call 3
      local.set 3
    end
    local.get 3
    i32.const 17
    i32.store 2 offset=16 align=1
    local.set 6
    local.set 5
    local.tee 4
    local.get 5
    local.get 6
    memory.copy $b $a
    local.get 3
    local.get 4
    i64.store 2 offset=20 align=1
    local.get 3
    local.get 5
    i32.store 2 offset=28 align=1
    local.get 3
    local.get 6
    i32.store 2 offset=32 align=1
    i32.const 0
    local.get 3
    i32.const 20
    i32.add
    i32.store 2
  )
  (func (;3;) (type 3) (param i32) (result i32)
    i32.const 0
    local.get 0
    i32.store 2
    local.get 0
    call 0
    i32.const 0
    i32.const 0
    i32.load 2 offset=12
    local.tee 0
    i32.store 2
    local.get 0
  )
)
