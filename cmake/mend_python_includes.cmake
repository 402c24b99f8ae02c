# Mends the include folders of the generated Python bindings' targets. Call it after rosidl_generate_interfaces().
function(hoigen_mend_python_includes)
  # The ROS 2 wheels from PyPI export targets with include folders of the machine that built the wheels, and CMake
  # refuses to generate with an imported target whose include folder does not exist. Drop those folders: the real
  # Python and NumPy headers come from find_package(Python3). With a ROS installation there is nothing to drop.
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(folders MATCHES "/opt/python/")
      list(FILTER folders EXCLUDE REGEX "^/opt/python/")
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${folders}")
    endif()
  endforeach()

  # Our own target would export NumPy's headers by absolute path in the same way, and CMake refuses that too when
  # the virtual environment lies inside the source tree. They are needed for our build only.
  set(target ${PROJECT_NAME}__rosidl_generator_py)
  get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
  list(TRANSFORM folders REPLACE "^(/.+)$" "$<BUILD_INTERFACE:\\1>")
  set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${folders}")
endfunction()
