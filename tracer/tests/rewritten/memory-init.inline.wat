;; site 8 (0x8): memory.init of function 0 at 0x26
;; site 9 (0x9): data.drop of function 0 at 0x2a
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
(module
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 0)))
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $p i32)
    (local i32 i32 i32 i32)
    local.get $p
    i32.const 1
    i32.const 2
    i32.const 0
    i32.load 1
    local.set 1
    local.get 1
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 1
      call 2
      local.set 1
    end
    local.get 1
    i32.const 16
    i32.store 1 offset=16 align=1
    local.set 4
    local.set 3
    local.tee 2
    local.get 3
    local.get 4
    memory.init $d
    local.get 1
    local.get 2
    i32.store 1 offset=20 align=1
    local.get 1
    local.get 3
    i32.store 1 offset=24 align=1
    local.get 1
    local.get 4
    i32.store 1 offset=28 align=1
    i32.const 0
    local.get 1
    i32.const 16
    i32.add
    i32.store 1
    i32.const 0
    i32.load 1
    local.set 1
    local.get 1
    i32.const 17
    i32.store 1 offset=16 align=1
    data.drop $d
    i32.const 0
    local.get 1
    i32.const 4
    i32.add
    i32.store 1
  )
  (func (;2;) (type 1) (param i32) (result i32)
    i32.const 0
    local.get 0
    i32.store 1
    local.get 0
    call 0
    i32.const 0
    i32.const 0
    i32.load 1 offset=12
    local.tee 0
    i32.store 1
    local.get 0
  )
  (data $d (;0;) "data")
)
