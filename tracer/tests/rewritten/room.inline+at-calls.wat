;; site 8 (0x8): i32.store of function 1 at 0x2f
;; site 9 (0x9): i32.store8 of function 1 at 0x3a
;; site 10 (0xa): i32.store8 of function 1 at 0x42
;; site 11 (0xb): i32.store8 of function 1 at 0x52
;; site 12 (0xc): i32.store8 of function 1 at 0x61
;; site 13 (0xd): i32.store8 of function 1 at 0x6a
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
;; segment 18 (0x12): sites 10 to 10
;; segment 19 (0x13): sites 11 to 11
;; segment 20 (0x14): sites 12 to 12
;; segment 21 (0x15): sites 13 to 13
(module
  (type (;0;) (func))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func $forkpoint:flush (;0;) (type 1)))
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "f" (func 2))
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func $other (;1;) (type 0))
  (func (;2;) (type 1) (param $a i32)
    (local i32 i32 i32)
    i32.const 0
    i32.load 1
    local.set 1
    block ;; label = @1
      local.get $a
      i32.const 1
      local.get 1
      i32.const 1048560
      i32.gt_u
      if ;; label = @2
        local.get 1
        call $forkpoint:make-room
        local.set 1
      end
      local.get 1
      i32.const 16
      i32.store 1 offset=16 align=1
      local.set 3
      local.tee 2
      local.get 3
      i32.store
      local.get 1
      local.get 2
      i32.store 1 offset=20 align=1
      local.get 1
      local.get 3
      i32.store 1 offset=24 align=1
      local.get 1
      i32.const 12
      i32.add
      local.set 1
      local.get $a
      if ;; label = @2
        local.get $a
        i32.const 2
        local.get 1
        i32.const 17
        i32.store 1 offset=16 align=1
        local.set 3
        local.tee 2
        local.get 3
        i32.store8
        local.get 1
        local.get 2
        i32.store 1 offset=20 align=1
        local.get 1
        local.get 3
        i32.store8 1 offset=24
        local.get 1
        i32.const 9
        i32.add
        local.set 1
      else
        local.get $a
        i32.const 3
        local.get 1
        i32.const 18
        i32.store 1 offset=16 align=1
        local.set 3
        local.tee 2
        local.get 3
        i32.store8
        local.get 1
        local.get 2
        i32.store 1 offset=20 align=1
        local.get 1
        local.get 3
        i32.store8 1 offset=24
        local.get 1
        i32.const 9
        i32.add
        local.set 1
      end
      block ;; label = @2
        local.get $a
        br_if 0 (;@2;)
        loop ;; label = @3
          local.get $a
          i32.const 4
          local.get 1
          i32.const 1048560
          i32.gt_u
          if ;; label = @4
            local.get 1
            call $forkpoint:make-room
            local.set 1
          end
          local.get 1
          i32.const 19
          i32.store 1 offset=16 align=1
          local.set 3
          local.tee 2
          local.get 3
          i32.store8
          local.get 1
          local.get 2
          i32.store 1 offset=20 align=1
          local.get 1
          local.get 3
          i32.store8 1 offset=24
          local.get 1
          i32.const 9
          i32.add
          local.set 1
          local.get $a
          br_if 0 (;@3;)
          br 1 (;@2;)
        end
      end
      local.get $a
      i32.const 5
      local.get 1
      i32.const 1048560
      i32.gt_u
      if ;; label = @2
        local.get 1
        call $forkpoint:make-room
        local.set 1
      end
      local.get 1
      i32.const 20
      i32.store 1 offset=16 align=1
      local.set 3
      local.tee 2
      local.get 3
      i32.store8
      local.get 1
      local.get 2
      i32.store 1 offset=20 align=1
      local.get 1
      local.get 3
      i32.store8 1 offset=24
      local.get 1
      i32.const 9
      i32.add
      local.set 1
      i32.const 0
      local.get 1
      i32.store 1
      call $other
      i32.const 0
      i32.load 1
      local.set 1
      local.get $a
      i32.const 6
      local.get 1
      i32.const 1048560
      i32.gt_u
      if ;; label = @2
        local.get 1
        call $forkpoint:make-room
        local.set 1
      end
      local.get 1
      i32.const 21
      i32.store 1 offset=16 align=1
      local.set 3
      local.tee 2
      local.get 3
      i32.store8
      local.get 1
      local.get 2
      i32.store 1 offset=20 align=1
      local.get 1
      local.get 3
      i32.store8 1 offset=24
      local.get 1
      i32.const 9
      i32.add
      local.set 1
    end
    i32.const 0
    local.get 1
    i32.store 1
  )
  (func $forkpoint:make-room (;3;) (type 2) (param i32) (result i32)
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
